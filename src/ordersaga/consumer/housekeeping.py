"""Housekeeping: a worker counts parked messages and purges rows older than their retention."""

import time
from datetime import timedelta
from typing import Any

import prometheus_client
from psycopg import Connection

from ordersaga.parked.metrics import ParkedGauge

BATCH = 1000
BETWEEN_ROUNDS = 60.0
IDLE_SECONDS = 1.0

PURGED = prometheus_client.Counter(
    "ordersaga_rows_purged_total", "Rows deleted after their retention", ["group", "table"]
)

PURGE = {
    "inbox": """
        delete from inbox where message_id = any(array(
            select message_id from inbox where received_at < now() - %s::interval order by received_at limit %s))""",
    "idempotency_keys": """
        delete from idempotency_keys where (caller, key) in (
            select caller, key from idempotency_keys
            where created_at < now() - %s::interval order by created_at limit %s)""",
}
"""By table. These rows drop repeats: a message or request that is repeated after the retention takes effect again."""


def purge(connection: Connection[Any], table: str, retention: timedelta) -> int:
    """Delete at most BATCH rows that are older than the retention, oldest first. Returns how many."""
    return connection.execute(PURGE[table], (retention, BATCH)).rowcount


class Housekeeping:
    """Every process of a group runs one; two at once delete the same rows once."""

    def __init__(self, group: str, retention: timedelta) -> None:
        self._group = group
        self._retention = retention
        self._parked_gauge = ParkedGauge(group)
        self._due_at = time.monotonic()

    def step(self, connection: Connection[Any]) -> float:
        """Count and purge if it is time to. Returns the seconds until the next step."""
        self._parked_gauge.count_if_due(connection)
        if time.monotonic() < self._due_at:
            return IDLE_SECONDS
        purged = {table: purge(connection, table, self._retention) for table in PURGE}
        for table, rows in purged.items():
            PURGED.labels(self._group, table).inc(rows)
        if max(purged.values()) == BATCH:
            return 0.0
        self._due_at = time.monotonic() + BETWEEN_ROUNDS
        return IDLE_SECONDS
