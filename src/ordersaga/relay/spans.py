"""Spans of sends: each lasts from the write of a message to the answer of the broker."""

import time
from collections.abc import Iterable, Mapping

from ordersaga.relay.undeliverable import RefusedRow
from ordersaga.relay.window import Outgoing
from ordersaga.runtime import telemetry


class SendSpans:
    """When each row in flight was sent; nothing while this process records no spans."""

    def __init__(self) -> None:
        self._sent_at: dict[int, int] = {}

    def sent(self, rows: Iterable[Outgoing]) -> None:
        if telemetry.tracing:
            self._sent_at.update(dict.fromkeys((row.position for row in rows), time.time_ns()))

    def settled(self, rows: Iterable[Outgoing], refused: Mapping[int, RefusedRow]) -> None:
        """Record these; `refused` has, by their index, those that the broker did not take."""
        if tracing := telemetry.tracing:
            for index, row in enumerate(rows):
                kind = refused[index].kind if index in refused else ""
                tracing.sent(row.message, self._sent_at.pop(row.position, time.time_ns()), kind)

    def drop(self) -> None:
        """Nobody learns what became of the rows in flight."""
        self._sent_at.clear()
