"""Purge: published rows are deleted from the outbox after their retention, in small batches behind the cursor."""

import time
from typing import Any

from prometheus_client import Counter
from psycopg import Connection

from ordersaga.runtime import failpoints

BATCH = 1000
"""Rows of one statement, oldest first; deleting them takes some 5 ms."""
BETWEEN_ROUNDS = 60.0
"""Seconds between two rounds; a round ends with a batch of which no row is deleted, or with the last row."""
ROWS_PER_PUBLISHED_ROW = 2
"""Rows that a busy relay may delete for each row it publishes: above 1, so that it catches up after a pause."""

# `published` is S1: a window under way is not visible in it, so nothing is deleted before all of its window is
# confirmed; nor is what a detached queue may lack. The cursor is read by the statement itself, so a leader that was
# frozen cannot delete by an old one.
PURGE = """
with oldest as materialized (
    select position from outbox where position > %(after)s order by position limit %(batch)s),
deleted as (
    delete from outbox using relay_cursor
    where position = any(array(select position from oldest))
        and pg_visible_in_snapshot(outbox.xid, published)
        and not exists (select from detached_queues where not pg_visible_in_snapshot(outbox.xid, lacked_from))
        and time < now() - make_interval(secs => %(retention)s)
    returning 1)
select (select count(*) from deleted), (select count(*) from oldest), (select coalesce(max(position), 0) from oldest)
"""

rows_purged = Counter("ordersaga_relay_rows_purged_total", "Published rows deleted after their retention", ["database"])


class Purger:
    """Deletes a batch when one is due; the active relay calls it between pages and windows."""

    def __init__(self, database: str, connection: Connection[Any], retention_seconds: float) -> None:
        self._connection = connection
        self._retention_seconds = retention_seconds
        self._purged = rows_purged.labels(database)
        self._due_at = time.monotonic()
        self._after = 0
        """Position up to which this round has looked."""
        self._allowed = 0
        """Rows that may still be deleted for those published in this round."""

    def purge_idle(self) -> bool:
        """Delete one batch, if a round is due. Returns whether rows were deleted."""
        return self._is_due and self._purge_batch() > 0

    def purge_beside(self, published: int) -> None:
        """Delete as many batches as these published rows allow, if a round is due.

        A relay without an idle moment would keep every row otherwise.
        """
        self._allowed = self._allowed + ROWS_PER_PUBLISHED_ROW * published if self._is_due else 0
        while self._allowed >= BATCH and self._is_due:
            self._allowed -= BATCH
            self._purge_batch()

    @property
    def _is_due(self) -> bool:
        return time.monotonic() >= self._due_at

    def _purge_batch(self) -> int:
        """Delete the next batch of the round. Returns the number of rows deleted."""
        failpoints.reach("relay.before-purge")
        deleted, found, last = purge(self._connection, self._retention_seconds, self._after)
        failpoints.reach("relay.purged")
        self._purged.inc(deleted)
        if deleted and found == BATCH:
            self._after = last
        else:
            self._after, self._due_at = 0, time.monotonic() + BETWEEN_ROUNDS
        return deleted


def purge(connection: Connection[Any], retention_seconds: float, after: int = 0) -> tuple[int, int, int]:
    """Delete the published rows older than the retention among the oldest rows after a position.

    Returns the number of rows deleted, the number of rows read, and the position of the last one read.
    """
    parameters = {"after": after, "batch": BATCH, "retention": retention_seconds}
    row = connection.execute(PURGE, parameters, binary=True).fetchone()
    assert row is not None
    deleted, found, last = row
    return deleted, found, last
