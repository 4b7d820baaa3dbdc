"""The recorder: writes beginnings and ends of alarms and the figures of minutes, of several processes one alone."""

import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psycopg
from psycopg import Connection

from ordersaga.database.pool import Database
from ordersaga.runtime.logs import log
from projections.monitor.minutes import Minutes
from projections.monitor.standing import ROUNDS, Standing
from projections.queries import alarms as queries

RENEW_SECONDS = 10.0
"""A third of the lease: two renewals may fail before another process takes over."""


class Recorder:
    """Keeps the table `alarms` equal to the alarms that stand in this process, while it holds the lease."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._holder = uuid4()
        self._recorded: frozenset[tuple[str, str]] | None = None
        """What stands in the table; None without the lease."""
        self._due_at = float("-inf")
        self._is_away = False

    def record(self, standing: Standing, minutes: Minutes) -> None:
        """Write what has changed; once every RENEW_SECONDS renew the lease. What fails is written the next time."""
        if standing.rounds < ROUNDS:
            return  # what stands is not known yet, and would be recorded as ended
        changed = self._recorded is not None and self._recorded != {alarm.key for alarm in standing.alarms}
        if time.monotonic() < self._due_at and not (changed or standing.ended or minutes.due):
            return
        try:
            with self._database.connection(timeout=1) as connection:
                self._record_alarms(connection, standing)
                self._record_minutes(connection, minutes)
            self._is_away = False
        except psycopg.Error as error:
            if not self._is_away:
                log.error("alarms and figures are not recorded and will be tried again", error=str(error))
            self._is_away = True
            self._due_at = float("-inf")

    def _record_alarms(self, connection: Connection[Any], standing: Standing) -> None:
        with connection.transaction():
            self._write(connection, standing)
        standing.ended.clear()

    def _record_minutes(self, connection: Connection[Any], minutes: Minutes) -> None:
        """In a transaction of its own: a figure that cannot be recorded keeps no alarm back."""
        if minutes.due and self._recorded is not None:
            with connection.transaction():
                minutes.write(connection)
        minutes.due.clear()

    def _write(self, connection: Connection[Any], standing: Standing) -> None:
        self._due_at = time.monotonic() + RENEW_SECONDS
        if not queries.lease(connection, self._holder):
            self._recorded = None
            return
        known = {(row.name, row.subject): row.raised_at for row in queries.standing(connection)}
        standing.adopt(known)
        now = {alarm.key for alarm in standing.alarms}
        for ended in standing.ended:
            queries.record_raised(connection, [ended.alarm])
            queries.record_cleared(connection, *ended.alarm.key, ended.cleared_at)
        open_still = known.keys() - {ended.alarm.key for ended in standing.ended}
        for name, subject in open_still - now:
            queries.record_cleared(connection, name, subject, datetime.now(UTC))
        queries.record_raised(connection, [alarm for alarm in standing.alarms if alarm.key not in open_still])
        self._recorded = frozenset(now)
