"""RecordedOperator: acts on parked messages and pauses groups as an operator does, recorded in a history."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg

from devstack.chaos.history import History, Operation
from ordersaga.cli.app import Application
from ordersaga.parked import group_pause, operations
from ordersaga.parked.operator import ActionRefused, Changed, Operator, UnknownMessage

ACTIONS = ("retry", "skip", "edit", "hold", "release", "pause", "resume")
"""Kinds of operations that the databases record."""
CONNECT_SECONDS = 5
REFUSALS = (UnknownMessage, Changed, ActionRefused)


class RecordedOperator:
    """Every action has an actor and a reason, and an outcome in the history; one without an answer is not repeated."""

    def __init__(self, application: Application, history: History, actor: str = "chaos-operator") -> None:
        self._urls = application.owner_urls()
        self._history = history
        self._actor = actor

    def retry(self, database: str, message_id: UUID, reason: str) -> Operation:
        return self._act("retry", database, message_id, reason, operations.retry)

    def skip(self, database: str, message_id: UUID, reason: str) -> Operation:
        return self._act("skip", database, message_id, reason, operations.skip)

    def pause(self, database: str, reason: str) -> Operation:
        """Pausing a paused group is refused: it is not recorded again."""
        return self._of_group("pause", database, reason, lambda *a: group_pause.pause(*a)[1])

    def resume(self, database: str, reason: str) -> Operation:
        return self._of_group("resume", database, reason, lambda *a: group_pause.resume(*a) is not None)

    def _act(self, action: str, database: str, message_id: UUID, reason: str, work: Callable[..., object]) -> Operation:
        with self._recorded(action, database, str(message_id), reason) as operation:
            try:
                with psycopg.connect(self._urls[database], connect_timeout=CONNECT_SECONDS) as connection:
                    work(connection, message_id, Operator(self._actor, reason))
                operation.succeed()
            except REFUSALS as error:
                operation.refuse(str(error))
            except psycopg.Error as error:
                operation.error = str(error)
        return operation

    def _of_group(self, action: str, database: str, reason: str, work: Callable[..., bool]) -> Operation:
        with self._recorded(action, database, "", reason) as operation:
            try:
                with psycopg.connect(self._urls[database], connect_timeout=CONNECT_SECONDS) as connection:
                    changed = work(connection, Operator(self._actor, reason))
                operation.succeed() if changed else operation.refuse("it is so already")
            except psycopg.Error as error:
                operation.error = str(error)
        return operation

    @contextmanager
    def _recorded(self, action: str, database: str, about: str, reason: str) -> Iterator[Operation]:
        request: dict[str, Any] = {"database": database, "about": about, "caller": self._actor, "reason": reason}
        with self._history.operation(action, str(uuid4()), request) as operation:
            yield operation
