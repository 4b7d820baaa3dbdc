"""Housekeeping: a worker counts parked messages and purges rows older than their retention."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import prometheus_client
from psycopg import Connection

from ordersaga.parked.metrics import ParkedGauge
from ordersaga.runtime import failpoints

BATCH = 1000
BETWEEN_ROUNDS = 60.0
IDLE_SECONDS = 1.0

PURGED = prometheus_client.Counter(
    "ordersaga_rows_purged_total", "Rows deleted after their retention", ["group", "table"]
)

# A round continues behind the last row that it deleted: while another transaction keeps dead rows from being removed,
# each batch would read all that were deleted before it.
PURGE = {
    "inbox": """
        with old as materialized (
            select message_id, received_at as at from inbox
            where received_at >= %(after)s and received_at < now() - %(retention)s::interval
            order by received_at limit %(batch)s),
        gone as (
            delete from inbox where message_id = any(array(select message_id from old)) returning 1)
        select (select count(*) from old), (select max(at) from old), (select count(*) from gone)""",
    "idempotency_keys": """
        with old as materialized (
            select caller, key, created_at as at from idempotency_keys
            where created_at >= %(after)s and created_at < now() - %(retention)s::interval
            order by created_at limit %(batch)s),
        gone as (
            delete from idempotency_keys where (caller, key) in (select caller, key from old) returning 1)
        select (select count(*) from old), (select max(at) from old), (select count(*) from gone)""",
}
"""By table. These rows drop repeats: a message or request that is repeated after the retention takes effect again."""

EVER = datetime.min.replace(tzinfo=UTC)


class Purged(NamedTuple):
    """One batch: rows found, the time of the youngest of them, and how many this process deleted."""

    found: int
    last: datetime | None
    deleted: int


def purge(connection: Connection[Any], table: str, retention: timedelta, after: datetime = EVER) -> Purged:
    """Delete at most BATCH rows that are older than the retention and not older than `after`, oldest first."""
    parameters = {"after": after, "retention": retention, "batch": BATCH}
    row = connection.execute(PURGE[table], parameters).fetchone()
    assert row is not None
    return Purged(*row)


class Housekeeping:
    """Every process of a group runs one; two at once delete the same rows once."""

    def __init__(self, group: str, retention: timedelta) -> None:
        self._group = group
        self._retention = retention
        self._parked_gauge = ParkedGauge(group)
        self._round: dict[str, datetime] = {}
        """Table -> the time up to which this round has deleted; a table that is done is left out."""
        self._begin_round(0)

    def step(self, connection: Connection[Any]) -> float:
        """Count and purge if it is time to. Returns the seconds until the next step."""
        self._parked_gauge.count_if_due(connection)
        if time.monotonic() < self._due_at:
            return IDLE_SECONDS
        for table, after in list(self._round.items()):
            failpoints.reach("housekeeping.before-purge")
            purged = purge(connection, table, self._retention, after)
            failpoints.reach("housekeeping.purged")
            PURGED.labels(self._group, table).inc(purged.deleted)
            if purged.last and purged.found == BATCH:
                self._round[table] = purged.last
            else:
                del self._round[table]
        if self._round:
            return 0.0
        self._begin_round(BETWEEN_ROUNDS)
        return IDLE_SECONDS

    def _begin_round(self, seconds: float) -> None:
        self._due_at = time.monotonic() + seconds
        self._round = dict.fromkeys(PURGE, EVER)
