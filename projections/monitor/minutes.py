"""The figures of each minute, from the snapshots of that minute, for the history that is kept."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from psycopg import Connection

from projections.monitor.message_alarms import groups
from projections.monitor.snapshot import Snapshot
from projections.queries import history
from projections.queries.history import MinuteFigure

MEANS = ("enqueued", "delivered", "cpu")
"""Rates; of the others a minute keeps the greatest."""
GREATEST = ("ready", "unacknowledged", "relay_lag", "waiting", "parked", "p95", "memory")
NAMES = (*MEANS, *GREATEST)
MAX_DUE = 5_000
"""Rows that wait for the database: some two hours."""
Figure = tuple[str, str, float]


def figures_of(snapshot: Snapshot) -> Iterator[Figure]:
    """(figure, subject, value) of all that is known."""
    broker = snapshot.broker
    whole = {
        "enqueued": broker.enqueued_per_second,
        "delivered": broker.delivered_per_second,
        "ready": broker.ready,
        "unacknowledged": broker.unacknowledged,
        "cpu": sum(process.cores or 0 for process in snapshot.processes),
    }
    yield from ((name, "", value) for name, value in whole.items() if value is not None)
    for group, waiting in broker.waiting().items():
        yield "waiting", group, waiting
    for group, parts in groups(snapshot).items():
        yield (
            "parked",
            group,
            max((each.retrying_now or 0) + (each.waiting_now or 0) + (each.dead_now or 0) for each in parts),
        )
    for process in snapshot.processes:
        yield from (("relay_lag", each.database, each.lag_seconds) for each in process.relays if each.is_active)
        if process.memory_bytes is not None:
            yield "memory", process.name, process.memory_bytes
        if process.requests and process.requests.p95_seconds is not None:
            yield "p95", process.name, process.requests.p95_seconds


class Minutes:
    """Collects snapshots; a minute is due when the next one has begun."""

    def __init__(self) -> None:
        self.due: list[MinuteFigure] = []
        self._minute: datetime | None = None
        self._values: dict[tuple[str, str], list[float]] = {}
        self._hour: datetime | None = None

    def take(self, snapshot: Snapshot) -> None:
        minute = snapshot.at.replace(second=0, microsecond=0)
        if self._minute and minute != self._minute:
            self.due += [MinuteFigure(self._minute, *key, of(key[0], values)) for key, values in self._values.items()]
            del self.due[:-MAX_DUE]
            self._values = {}
        self._minute = minute
        for name, subject, value in figures_of(snapshot):
            self._values.setdefault((name, subject), []).append(value)

    def write(self, connection: Connection[Any]) -> None:
        """Record what is due; with the first minute of an hour, sum up hours and delete what is too old."""
        history.keep(connection, self.due)
        hour = self.due[-1].minute.replace(minute=0)
        if hour != self._hour:
            history.summarise(connection, NAMES)
            history.trim(connection, NAMES)
            self._hour = hour


def of(name: str, values: list[float]) -> float:
    """The value of a minute."""
    return float(sum(values) / len(values) if name in MEANS else max(values))
