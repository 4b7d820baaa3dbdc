"""RecentRows: the rows that a relay has published last, by which it notices that a database has lost them.

A standby that lagged and was promoted, or a backup that was restored, lacks rows whose messages are out. The cursor of
that database is as old as the rest of it, so nothing in it shows the loss.
"""

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from prometheus_client import Gauge
from psycopg import Connection

from ordersaga.relay.window import Outgoing
from ordersaga.runtime.logs import log

KEPT = 1000
OF_PAGE = 100
"""Rows that are kept of one page, its last ones: a busy relay must not copy what it publishes."""

# A row whose retention is about to end may have been purged; one that was read twice is remembered twice. Another relay
# may have led meanwhile and purged after a shorter retention; a purge takes only rows that the cursor has passed, the
# oldest first.
LOST = """
select distinct message_id
from unnest(%(positions)s::bigint[], %(ids)s::uuid[], %(times)s::timestamptz[], %(windows)s::pg_snapshot[])
    as remembered (position, message_id, time, window_end), relay_cursor
where time > now() - make_interval(secs => %(retention)s / 2)
    and not exists (select from outbox where outbox.position = remembered.position
        and outbox.message_id = remembered.message_id)
    and (pg_snapshot_xmax(published) < pg_snapshot_xmax(window_end)
        or exists (select from outbox where outbox.position < remembered.position and outbox.time <= remembered.time))
"""

lost_messages = Gauge(
    "ordersaga_relay_lost_messages", "Messages that this relay has published and the database has lost", ["database"]
)


class PublishedRow(NamedTuple):
    position: int
    message_id: UUID
    time: datetime
    window_end: str
    """The snapshot at the end of its window."""


class RecentRows:
    """Of one relay process, for as long as it runs; a relay that starts after the loss does not notice it."""

    def __init__(self, database: str, retention_seconds: float) -> None:
        self._database = database
        self._retention_seconds = retention_seconds
        self._rows: deque[PublishedRow] = deque(maxlen=KEPT)
        self._lost = 0
        lost_messages.labels(database).set_function(lambda: self._lost)

    def keep(self, rows: Sequence[Outgoing], window_end: str) -> None:
        """Remember rows of one window that are published: each was committed when it was read."""
        for row in rows[-OF_PAGE:]:
            self._rows.append(PublishedRow(row.position, row.message.id, row.message.time, window_end))

    def compare(self, connection: Connection[Any]) -> None:
        """Note what the database no longer has, and forget all rows; call it when a session begins to lead."""
        if not self._rows:
            return
        columns = zip(("positions", "ids", "times", "windows"), map(list, zip(*self._rows, strict=True)), strict=True)
        parameters = {**dict(columns), "retention": self._retention_seconds}
        lost = [id_ for (id_,) in connection.execute(LOST, parameters)]
        self._rows.clear()
        if lost:
            self._lost += len(lost)
            log.error("history was lost", database=self._database, reason=self.warning, first=str(lost[0]))

    @property
    def warning(self) -> str:
        """What was lost, in a sentence; empty when nothing was. It stays until the process ends."""
        if not self._lost:
            return ""
        return (
            f"the database {self._database} has lost {self._lost} messages at least that were published: a standby "
            "that lagged was promoted, or a backup was restored. Run reconcile, and follow the runbook HistoryLost"
        )
