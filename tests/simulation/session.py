"""Session: a connection of psycopg to the model, as far as the product uses one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import psycopg
from psycopg.pq import TransactionStatus

from tests.simulation.consumer_statements import CONSUMER_STATEMENTS
from tests.simulation.postgres import Blocked, Postgres
from tests.simulation.relay_statements import STATEMENTS
from tests.simulation.world import current


class Answer(list[Any]):
    """The rows of a statement."""

    @property
    def rowcount(self) -> int:
        return len(self)

    def fetchall(self) -> list[Any]:
        return self

    def fetchone(self) -> Any:
        return self[0] if self else None


class Session:
    """One connection; the thread that uses it waits before each statement, so that all else may happen there."""

    def __init__(self, postgres: Postgres, flushes: bool = False) -> None:
        self.backend = postgres.open(flushes, current().host)
        self.pgconn = self.info = self
        self.autocommit = True
        self._handlers: list[Callable[[Any], None]] = []

    @property
    def closed(self) -> bool:
        return self.backend.is_lost

    def execute(self, query: str | bytes, parameters: Any = None, **_: bool) -> Answer:
        world = current()
        statement = STATEMENTS.get(query) or CONSUMER_STATEMENTS[query]
        while True:
            world.pause()
            self._require()
            try:
                rows = statement(self.backend, parameters)
            except Blocked as blocked:
                while not blocked.is_over():
                    world.pause(60.0, blocked.is_over)
                continue
            except Exception:
                if not self.backend.transaction.is_explicit:
                    self.backend.end(commits=False)
                raise
            self.backend.end_statement()
            return Answer(self.backend.answered(query, parameters, rows))

    def _require(self) -> None:
        if self.backend.is_lost:
            raise psycopg.OperationalError("the session is lost")

    @property
    def transaction_status(self) -> TransactionStatus:
        return TransactionStatus.INTRANS if self.backend.transaction.is_explicit else TransactionStatus.IDLE

    @contextmanager
    def cursor(self, **_: Any) -> Iterator[Self]:
        """The model answers with the objects that a row factory would make."""
        yield self

    @contextmanager
    def transaction(self, force_rollback: bool = False) -> Iterator[None]:
        self._require()
        self.backend.begin()
        try:
            yield
        except BaseException:
            self.backend.end(commits=False)
            raise
        current().pause()
        self._require()
        self.backend.end(commits=True)

    def close(self) -> None:
        if not self.backend.is_lost:
            self.backend.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What a bell asks of it.

    def fileno(self) -> int:
        return id(self)

    def add_notify_handler(self, handler: Callable[[Any], None]) -> None:
        self._handlers.append(handler)

    def consume_input(self) -> None:
        self._require()

    def notifies(self) -> bool:
        heard, self.backend.heard = self.backend.heard, self.backend.postgres.rung
        return heard < self.backend.heard
