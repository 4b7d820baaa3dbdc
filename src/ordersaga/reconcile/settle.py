"""Settling: waits for messages in flight, because a message that has not arrived yet is no finding."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any
from uuid import UUID

from psycopg import Connection

from ordersaga.parked.table import ANNOUNCED_ID
from ordersaga.reconcile.findings import PendingFinding, ReconcileFinding
from ordersaga.reconcile.receivers import Receivers
from ordersaga.reconcile.snapshots import NAME
from ordersaga.runtime.sessions import REPORT, connect

MAX_PENDING = 1000
"""Findings that are held at once."""
POLL_SECONDS = 0.25

PARKED_OR_RECEIVED = f"""
select message_id, null from inbox where message_id = any(%(ids)s)
union all select {ANNOUNCED_ID}, coalesce(left(concat_ws(', ', state, nullif(concat_ws(': ', nullif(error, ''),
    nullif(message, '')), '')), 200), '')
from parked_messages where {ANNOUNCED_ID} = any(%(ids)s)
"""  # noqa: S608 - a constant
LOGGED = " union all select message_id, null from event_log where message_id = any(%(ids)s)"
PARKED_LAST = " order by 2 nulls first"
"""A message that is parked and received, which must not be, stays a finding."""


class Settling:
    """Gives pending findings time to resolve: `patience` seconds for all together, beginning with the first.

    Args:
        urls: by name of the service, the URL of its database for the owner.
        receivers: knows which services are read sides.
        patience: in seconds.
        report: called with each finding that remains.
    """

    def __init__(
        self,
        urls: Mapping[str, str],
        receivers: Receivers,
        patience: float,
        report: Callable[[ReconcileFinding], None],
    ) -> None:
        self._urls = urls
        self._receivers = receivers
        self._patience = patience
        self._report = report
        self._pending: list[PendingFinding] = []
        self._end: float | None = None
        self._open = ExitStack()
        self._connections: dict[str, Connection[Any]] = {}

    def __enter__(self) -> "Settling":
        for service, url in self._urls.items():
            self._connections[service] = self._open.enter_context(connect(url, NAME, REPORT))
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def add(self, found: Iterable[ReconcileFinding | PendingFinding]) -> None:
        """Report findings, and hold pending ones."""
        for each in found:
            if isinstance(each, ReconcileFinding):
                self._report(each)
            else:
                self._pending.append(each)
        if len(self._pending) >= MAX_PENDING:
            self.settle()

    def settle(self) -> None:
        """Check the pending findings until none is left or the time is over, then report the others."""
        if self._end is None:
            self._end = time.monotonic() + self._patience
        while self._check() and time.monotonic() < self._end:
            time.sleep(POLL_SECONDS)
        for each in self._pending:
            self._report(each.finding)
        self._pending.clear()

    def _check(self) -> bool:
        """Drop the findings whose message has been received. Returns whether any is left."""
        self._pending = [each for service in self._urls for each in self._left_in(service)]
        return bool(self._pending)

    def _left_in(self, service: str) -> Iterator[PendingFinding]:
        pending = [each for each in self._pending if each.receiver == service]
        if not pending:
            return
        states = self._states(service, [each.finding.message_id for each in pending])
        for each in pending:
            found, state = each.finding, states.get(each.finding.message_id, "")
            if state is None:
                continue
            if state:
                found = replace(found, kind="parked", place=f"{service}.parked_messages", detail=state)
            yield PendingFinding(service, found)

    def _states(self, service: str, ids: list[UUID | None]) -> dict[UUID | None, str | None]:
        """Message id -> the state in which it is parked; None when it has been received."""
        logged = LOGGED if self._receivers.is_read_side(service) else ""
        query = PARKED_OR_RECEIVED + logged + PARKED_LAST
        return dict(self._connections[service].execute(query, {"ids": ids}).fetchall())
