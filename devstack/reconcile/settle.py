"""Waiting for what is still under way: a message that has not arrived yet is no finding."""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any
from uuid import UUID

import psycopg
from psycopg import Connection

from devstack.processes import GROUPS, READ_SIDE
from devstack.reconcile.findings import Finding, UnderWay

TOGETHER = 1000
LOOK_EVERY = 0.25

NOW = """
select message_id, null from inbox where message_id = any(%(ids)s)
union all select message_id, coalesce(left(concat_ws(', ', state, nullif(concat_ws(': ', nullif(error, ''),
    nullif(message, '')), '')), 200), '')
from parked_messages where message_id = any(%(ids)s)
"""
LOGGED = " union all select message_id, null from event_log where message_id = any(%(ids)s)"
PARKED_LAST = " order by 2 nulls first"
"""Of what is both, which should not be, the finding stays."""


class Settling:
    """Gives findings the time to heal: `patience` seconds for all of them together, from the first one on."""

    def __init__(self, urls: Mapping[str, str], patience: float, report: Callable[[Finding], None]) -> None:
        self._urls = urls
        self._patience = patience
        self._report = report
        self._waiting: list[UnderWay] = []
        self._end: float | None = None
        self._open = ExitStack()
        self._connections: dict[str, Connection[Any]] = {}

    def __enter__(self) -> "Settling":
        for group in GROUPS:
            connection = psycopg.connect(self._urls[group], autocommit=True, application_name="ordersaga reconcile")
            self._connections[group] = self._open.enter_context(connection)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def add(self, found: Iterable[Finding | UnderWay]) -> None:
        for each in found:
            if isinstance(each, Finding):
                self._report(each)
            else:
                self._waiting.append(each)
        if len(self._waiting) >= TOGETHER:
            self.settle()

    def settle(self) -> None:
        """Look again until nothing is left or the patience is used up, then report what is left."""
        if self._end is None:
            self._end = time.monotonic() + self._patience
        waiting = self._look()
        while waiting and time.monotonic() < self._end:
            time.sleep(LOOK_EVERY)
            waiting = self._look()
        for each in waiting:
            self._report(each.finding)
        self._waiting.clear()

    def _look(self) -> list[UnderWay]:
        """What has not been received by now."""
        self._waiting = [each for group in GROUPS for each in self._left_in(group)]
        return self._waiting

    def _left_in(self, group: str) -> Iterable[UnderWay]:
        mine = [each for each in self._waiting if each.group == group]
        if not mine:
            return
        now = self._states(group, [each.finding.message_id for each in mine])
        for each in mine:
            found, state = each.finding, now.get(each.finding.message_id, "")
            if state is None:
                continue
            if state:
                found = replace(found, kind="parked", place=f"{group}.parked_messages", detail=state)
            yield UnderWay(group, found)

    def _states(self, group: str, ids: list[UUID | None]) -> dict[UUID | None, str | None]:
        """Message id -> how it is parked; None once it has been received."""
        query = (NOW + LOGGED if group == READ_SIDE else NOW) + PARKED_LAST
        return dict(self._connections[group].execute(query, {"ids": ids}).fetchall())
