"""LazyTransaction: a transaction in Postgres that begins when something needs it."""

from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import Connection
from psycopg.pq import TransactionStatus

from ordersaga.database.doorbell import no_ring


class LazyTransaction:
    """Until it begins, each statement on the connection, which is in autocommit, is a transaction by itself.

    The end of the block commits what was begun, or rolls it back after an error. BEGIN and COMMIT take a round trip
    each, and a flush, which is one statement, needs neither. In a transaction of the caller this one begins, commits
    and rolls back nothing.
    """

    def __init__(
        self, connection: Connection[Any], ring: Callable[[], None] = no_ring, force_rollback: bool = False
    ) -> None:
        """`ring` tells the relay, after a commit, that the outbox has new messages."""
        self.connection = connection
        self.has_announced = False
        """Whether a flush has written messages that the relay has to publish."""
        self._is_outermost = self._is_idle
        self._ring = ring
        self._force_rollback = force_rollback
        self._is_plain = False
        self._guarded: ExitStack | None = None
        self._after_commit: list[Callable[[], None]] = []

    @property
    def _is_idle(self) -> bool:
        return self.connection.autocommit and self.connection.info.transaction_status == TransactionStatus.IDLE

    @property
    def is_callers(self) -> bool:
        """Whether the caller had begun a transaction, which goes on after this one."""
        return not self._is_outermost

    def begin(self) -> None:
        """Begin, if that is not done; from then on psycopg refuses a `commit` of the connection within the block."""
        if self._guarded is None and (self._is_plain or self._is_idle):
            self._guarded = ExitStack()
            self._guarded.enter_context(self.connection.transaction(force_rollback=self._force_rollback))

    def begin_with(self, statement: str) -> None:
        """Run a statement without parameters; if nothing has begun, begin in the same round trip."""
        self._is_plain = self._is_idle or self._is_plain
        begin = "begin; " if self._is_idle else ""
        self.connection.execute((begin + statement).encode(), prepare=False)

    def after_commit(self, work: Callable[[], None]) -> None:
        """Do the work once everything is committed; never after an error, nor in a transaction of the caller."""
        self._after_commit.append(work)

    def __enter__(self) -> Self:
        if self._force_rollback:
            self.begin()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._guarded is not None:
            self._guarded.__exit__(kind, error, at)
        if self._is_plain:
            self._end(error)
        if error is None and self._is_outermost and not self._force_rollback:
            for work in self._after_commit:
                work()
            if self.has_announced:
                self._ring()

    def _end(self, error: BaseException | None) -> None:
        if error is None:
            self.connection.commit()
            return
        with suppress(psycopg.Error):  # the error that led here says more
            self.connection.rollback()
