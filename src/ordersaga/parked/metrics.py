"""How many messages of a group are parked now, by state."""

import time
from typing import Any

import prometheus_client
from psycopg import Connection

PARKED_MESSAGES = prometheus_client.Gauge("ordersaga_parked_messages", "Messages parked now", ["group", "state"])
STATES = ("retrying", "waiting", "dead")
COUNT = "select state, count(*) from parked_messages group by state"

PERIOD = 1.0
SHARE = 20
"""Counting takes at most a twentieth of the time, however many messages are parked."""


def count_by_state(connection: Connection[Any]) -> dict[str, int]:
    """State -> messages; states without messages are left out."""
    return dict(connection.execute(COUNT).fetchall())


class ParkedGauge:
    """Counts for the metrics, at most once a PERIOD; the caller passes the connection."""

    def __init__(self, group: str) -> None:
        self._group = group
        self._due = 0.0

    def count_if_due(self, connection: Connection[Any]) -> None:
        """Set the gauges if the last count is old enough."""
        began = time.monotonic()
        if began < self._due:
            return
        found = count_by_state(connection)
        for state in STATES:
            PARKED_MESSAGES.labels(self._group, state).set(found.get(state, 0))
        took = time.monotonic() - began
        self._due = began + max(PERIOD, SHARE * took)
