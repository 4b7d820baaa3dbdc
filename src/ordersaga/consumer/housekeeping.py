"""What a worker does for its tables beside its work: count what is parked, forget what is older than its retention."""

import time
from datetime import timedelta
from typing import Any

import prometheus_client
from psycopg import Connection

from ordersaga.parked.parked_now import ParkedNow

BATCH = 1000
BETWEEN_ROUNDS = 60.0
IDLE_SECONDS = 1.0

FORGOTTEN = prometheus_client.Counter(
    "ordersaga_rows_purged_total", "Rows deleted after their retention", ["group", "table"]
)

FORGET = {
    "inbox": """
        delete from inbox where message_id = any(array(
            select message_id from inbox where received_at < now() - %s::interval order by received_at limit %s))""",
    "idempotency_keys": """
        delete from idempotency_keys where (caller, key) in (
            select caller, key from idempotency_keys
            where created_at < now() - %s::interval order by created_at limit %s)""",
}
"""They are kept to drop repeats: a message or request that comes again after the retention takes effect again."""


def forget(connection: Connection[Any], table: str, retention: timedelta) -> int:
    """Delete a batch of rows that are older; returns how many."""
    return connection.execute(FORGET[table], (retention, BATCH)).rowcount


class Housekeeping:
    """Every process of a group does it; two at once delete the same rows once."""

    def __init__(self, group: str, retention: timedelta) -> None:
        self._group = group
        self._retention = retention
        self._parked_now = ParkedNow(group)
        self._due_at = time.monotonic()

    def step(self, connection: Connection[Any]) -> float:
        """Returns the seconds until the next."""
        self._parked_now.count_if_due(connection)
        if time.monotonic() < self._due_at:
            return IDLE_SECONDS
        forgotten = {table: forget(connection, table, self._retention) for table in FORGET}
        for table, rows in forgotten.items():
            FORGOTTEN.labels(self._group, table).inc(rows)
        if max(forgotten.values()) == BATCH:
            return 0.0
        self._due_at = time.monotonic() + BETWEEN_ROUNDS
        return IDLE_SECONDS
