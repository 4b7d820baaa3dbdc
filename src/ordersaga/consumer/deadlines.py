"""Deadlines: each is deleted in the transaction of its reaction, once it is due."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from ordersaga.database.doorbell import no_ring
from ordersaga.database.locks import refuse_locked_tables
from ordersaga.envelope.message import Cause
from ordersaga.inbox.reactions import Reactions
from ordersaga.runtime import failpoints, telemetry
from ordersaga.runtime.backoff import retry_on_conflict
from ordersaga.runtime.errors import ErrorKind, classify, session_ended
from ordersaga.runtime.logs import log
from ordersaga.store.announcements import Announcements
from ordersaga.store.lazy_transaction import LazyTransaction
from ordersaga.store.transaction import Transaction

BATCH = 50
IDLE_SECONDS = 0.5
POSTPONED = timedelta(seconds=30)
"""A deadline whose reaction fails is tried again after this time, for as long as it fails."""


class Due(NamedTuple):
    """A deadline that has passed."""

    name: str
    aggregate_id: UUID
    correlation_id: UUID
    causation_id: UUID | None
    traceparent: str
    tracestate: str

    @property
    def cause(self) -> Cause:
        return Cause(self.correlation_id, self.causation_id, "deadline", self.traceparent, self.tracestate)


TAKE = """
with due as (
    select name, aggregate_id from deadlines where due_at <= now() and name = any(%s)
    order by due_at limit %s for update skip locked
)
delete from deadlines using due where deadlines.name = due.name and deadlines.aggregate_id = due.aggregate_id
returning deadlines.name, deadlines.aggregate_id, correlation_id, causation_id, traceparent, tracestate
"""


def take(connection: Connection[Any], names: list[str], limit: int) -> list[Due]:
    """Delete and return due deadlines, oldest first; a rollback leaves them for the next call."""
    with connection.cursor(row_factory=class_row(Due)) as cursor:
        return cursor.execute(TAKE, (names, limit)).fetchall()


IS_ANY_DUE = "select exists (select from deadlines where due_at <= now() and name = any(%s))"


def is_any_due(connection: Connection[Any], names: list[str]) -> bool:
    """Whether `take` would find one; asked twice a second, it takes one round trip and no transaction."""
    row = connection.execute(IS_ANY_DUE, (names,)).fetchone()
    return bool(row and row[0])


POSTPONE = "update deadlines set due_at = now() + %s where name = %s and aggregate_id = %s"


class Deadlines:
    """Every process of a group runs one; `skip locked` gives each other rows."""

    def __init__(self, reactions: Reactions, announcements: Announcements, ring: Callable[[], None] = no_ring) -> None:
        """`ring` tells the relay, after a commit, that the outbox has new messages."""
        self.ring = ring
        self.functions = reactions.deadlines
        self.announcements = announcements
        self._one_by_one = False
        self._unrecorded: list[tuple[Due, Exception]] = []
        """Failures that ended their session, to be recorded in the next."""

    def step(self, connection: Connection[Any]) -> float:
        """React to the deadlines that are due. Returns the seconds until the next step."""
        while self._unrecorded:
            self.postpone(connection, *self._unrecorded[0])
            self._unrecorded.pop(0)
        try:
            found = 0 if self._one_by_one else self.fire(connection, BATCH)
        except Exception as error:
            kind = classify(error)
            if kind is ErrorKind.UNAVAILABLE:
                raise
            if kind is ErrorKind.LOCKED:
                refuse_locked_tables(connection, error)
            self._one_by_one = True
            if connection.closed:
                raise session_ended(error) from error
        if self._one_by_one:
            found = sum(self.fire_alone(connection) for _ in range(BATCH))
            self._one_by_one = False
        return 0 if found == BATCH else IDLE_SECONDS

    def fire(self, connection: Connection[Any], limit: int) -> int:
        due: list[Due] = []
        self.fire_into(connection, due, limit)
        return len(due)

    def fire_into(self, connection: Connection[Any], due: list[Due], limit: int) -> None:
        """React to what is due, and write it into `due`, so that the caller knows it also when this raises."""
        if not is_any_due(connection, list(self.functions)):
            return
        with LazyTransaction(connection, self.ring) as lazy:
            lazy.begin()
            due[:] = take(connection, list(self.functions), limit)
            if due:
                failpoints.reach("deadline.taken")
                self.react(lazy, due)
                failpoints.reach("deadline.before-commit")
        failpoints.reach("deadline.after-commit")

    def react(self, lazy: LazyTransaction, due: list[Due]) -> None:
        transaction = Transaction(lazy.connection, self.announcements, due[0].cause, lazy)
        transaction.load(deadline.aggregate_id for deadline in due)
        for deadline in due:
            transaction.cause = traced(deadline, lazy) if telemetry.tracing else deadline.cause
            self.functions[deadline.name](deadline.aggregate_id, transaction)
        transaction.flush()

    def fire_alone(self, connection: Connection[Any]) -> int:
        """React to one deadline in a transaction of its own; postpone it if that fails, so that others go on."""
        due: list[Due] = []
        try:
            retry_on_conflict(partial(self.fire_into, connection, due, 1))
        except Exception as error:
            if classify(error) is ErrorKind.UNAVAILABLE or not due:
                raise
            if connection.closed:
                self._unrecorded.append((due[0], error))
                raise session_ended(error) from error
            if classify(error) is ErrorKind.LOCKED:
                refuse_locked_tables(connection, error)
            self.postpone(connection, due[0], error)
        return len(due)

    def postpone(self, connection: Connection[Any], due: Due, error: Exception) -> None:
        connection.execute(POSTPONE, (POSTPONED, due.name, due.aggregate_id))
        if telemetry.tracing and (span := telemetry.tracing.deadline(due.cause, due.name)):
            span.failed(type(error).__name__)
            span.end()
        log.error("deadline failed", deadline=due.name, aggregate_id=str(due.aggregate_id), exc_info=error)


def traced(due: Due, lazy: LazyTransaction) -> Cause:
    """The cause of what the reaction does, in a span that ends with the commit."""
    span = telemetry.tracing.deadline(due.cause, due.name) if telemetry.tracing else None
    if span is None:
        return due.cause
    lazy.after_commit(span.end)
    return span.cause(due.cause)
