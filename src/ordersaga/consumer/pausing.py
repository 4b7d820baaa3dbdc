"""Pausing: what a worker knows of the pause of its group, for its loop, metrics, log and health endpoint."""

from typing import Any

import prometheus_client
from psycopg import Connection

from ordersaga.parked import group_pause
from ordersaga.parked.group_pause import Pause
from ordersaga.runtime.logs import log

PAUSED = prometheus_client.Gauge("ordersaga_group_paused", "1 while a person has paused the group, else 0", ["group"])


class Pausing:
    """The pause at the last look; None before the first look and while the group receives."""

    def __init__(self, group: str) -> None:
        self.group = group
        self.pause: Pause | None = None
        PAUSED.labels(group).set(0)

    def look(self, connection: Connection[Any]) -> None:
        """Ask the database, and log a change."""
        before, self.pause = self.pause, group_pause.current(connection)
        PAUSED.labels(self.group).set(self.pause is not None)
        if self.pause and not before:
            log.warning("the group is paused: nothing is received until it resumes", actor=self.pause.actor)
        elif before and not self.pause:
            log.info("the group resumes")

    @property
    def warnings(self) -> list[str]:
        """A sentence for the health endpoint while the group is paused."""
        return [f"The group {self.group} is {self.pause}. `ordersaga resume` ends it."] if self.pause else []
