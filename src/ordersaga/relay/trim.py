"""Trimming: published rows leave the outbox after a retention, in small batches, always behind the cursor."""

import time
from typing import Any

from prometheus_client import Counter
from psycopg import Connection

BATCH = 1000
"""Rows read at once, oldest first; deleting them takes some 5 ms."""
BETWEEN_ROUNDS = 60.0
"""Seconds between two rounds; a round ends with a batch of which every row stays, or with the last row."""
PUT_OFF_AT_MOST = 10.0
"""Seconds after which a relay that finds no idle moment deletes a batch between two windows all the same."""

# `published` is S1: a window under way is not visible in it, so nothing is deleted before all of its window is
# confirmed. The cursor is read by the statement itself, so a leader that was frozen cannot delete by an old one.
TRIM = """
with oldest as materialized (
    select position from outbox where position > %(after)s order by position limit %(batch)s),
deleted as (
    delete from outbox using relay_cursor
    where position = any(array(select position from oldest))
        and pg_visible_in_snapshot(outbox.xid, published)
        and time < now() - make_interval(secs => %(retention)s)
    returning 1)
select (select count(*) from deleted), (select count(*) from oldest), (select coalesce(max(position), 0) from oldest)
"""

trimmed = Counter("ordersaga_relay_rows_purged_total", "Published rows deleted after their retention", ["database"])


class Trimmer:
    """Deletes a batch whenever it is due; the active relay asks between windows."""

    def __init__(self, database: str, connection: Connection[Any], retention_seconds: float) -> None:
        self._connection = connection
        self._retention_seconds = retention_seconds
        self._trimmed = trimmed.labels(database)
        self._due_at = time.monotonic()
        self._after = 0
        """Where this round has come to: what was deleted below is not searched again."""

    def trim_if_due(self, idle: bool) -> bool:
        """Delete one batch, if it is time; tells whether it did."""
        now = time.monotonic()
        if now < self._due_at + (0.0 if idle else PUT_OFF_AT_MOST):
            return False
        deleted, found, last = trim(self._connection, self._retention_seconds, self._after)
        self._trimmed.inc(deleted)
        if deleted and found == BATCH:
            self._after, self._due_at = last, now
        else:
            self._after, self._due_at = 0, now + BETWEEN_ROUNDS
        return deleted > 0


def trim(connection: Connection[Any], retention_seconds: float, after: int = 0) -> tuple[int, int, int]:
    """Delete what is published and older than the retention among the oldest rows behind a position.

    Returns how many it deleted, how many it looked at, and the position of the last of these.
    """
    parameters = {"after": after, "batch": BATCH, "retention": retention_seconds}
    row = connection.execute(TRIM, parameters, binary=True).fetchone()
    assert row is not None
    deleted, found, last = row
    return deleted, found, last
