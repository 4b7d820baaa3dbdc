"""One order's timeline: its messages with their causes, its steps with their compensation, and its payment."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from psycopg import Connection
from psycopg.sql import SQL

from ordersaga.readside import events
from ordersaga.readside.events import LoggedEvent
from ordersaga.readside.rows import Row, select
from projections.queries import notes, payments, sagas
from projections.queries.notes import OrderNote
from projections.queries.payments import PaymentRow
from projections.queries.sagas import Saga, UsualWait

StepName = Literal["placed", "reserved", "charged", "confirmed"]
StepState = Literal["done", "in_progress", "failed", "compensating", "compensated", "not_reached"]


class TimelineEntry(LoggedEvent):
    """A message of the order; `since_cause` is in seconds, null where no message is the cause."""

    since_cause: float | None


class Edge(Row):
    """One message and another that it caused."""

    cause: UUID
    effect: UUID


class SagaStep(Row):
    """One of the four steps; `compensating` waits for its compensation, which happened at `compensated_at`."""

    name: StepName
    state: StepState
    at: datetime | None
    compensated_at: datetime | None = None
    reason: str | None = None


class Timeline(Row):
    """One order; `entries` are its messages by time, `usual` is how long other orders waited for the same.

    `notes` are for operators and auditors alone.
    """

    saga: Saga
    payment: PaymentRow | None
    steps: list[SagaStep]
    entries: list[TimelineEntry]
    edges: list[Edge]
    usual: UsualWait | None
    notes: list[OrderNote] = []


ENTRIES = SQL("""
select {}, extract(epoch from time - caused_at)::float8 as since_cause
from event_log
    left join (select message_id as cause, time as caused_at from event_log) as causes on cause = causation_id
where key = %(key)s
order by time, position
limit %(limit)s
""").format(events.COLUMNS)


def entries(connection: Connection[Any], order_id: UUID, limit: int = 1000) -> list[TimelineEntry]:
    """All messages of an order, by time."""
    return select(connection, TimelineEntry, ENTRIES, {"key": str(order_id), "limit": limit})


def edges(found: list[TimelineEntry]) -> list[Edge]:
    """The causes and effects among these messages."""
    ids = {each.message_id for each in found}
    return [Edge(cause=e.causation_id, effect=e.message_id) for e in found if e.causation_id in ids and e.causation_id]


def steps(saga: Saga) -> list[SagaStep]:
    """The four steps of an order, each with its compensation."""
    return [placed(saga), reserved(saga), charged(saga), confirmed(saga)]


def placed(saga: Saga) -> SagaStep:
    if saga.placed_at is None:
        return SagaStep(name="placed", state="in_progress", at=None)
    return done_or_compensated("placed", saga.placed_at, saga.cancelled_at, saga.cancelled_at is not None, saga.reason)


def reserved(saga: Saga) -> SagaStep:
    if saga.rejected_at:
        return SagaStep(name="reserved", state="failed", at=saga.rejected_at, reason=saga.rejection)
    if saga.reserved_at:
        return done_or_compensated("reserved", saga.reserved_at, saga.released_at, saga.cancelled_at is not None)
    return SagaStep(name="reserved", state="in_progress" if saga.waits_for == "stock" else "not_reached", at=None)


def charged(saga: Saga) -> SagaStep:
    charged_at = saga.captured_at or saga.late_charge_at
    if charged_at:
        refunded_at = saga.refunded_at if saga.cancelled_at and saga.refund == "succeeded" else None
        return done_or_compensated("charged", charged_at, refunded_at, saga.cancelled_at is not None)
    if saga.declined_at:
        return SagaStep(name="charged", state="failed", at=saga.declined_at, reason=saga.decline)
    return SagaStep(name="charged", state="in_progress" if saga.waits_for == "payment" else "not_reached", at=None)


def confirmed(saga: Saga) -> SagaStep:
    if saga.confirmed_at:
        cancelled = saga.cancelled_at is not None
        return done_or_compensated("confirmed", saga.confirmed_at, saga.cancelled_at, cancelled, saga.reason)
    return SagaStep(
        name="confirmed", state="in_progress" if saga.waits_for == "confirmation" else "not_reached", at=None
    )


def done_or_compensated(
    name: StepName, at: datetime, compensated_at: datetime | None, cancelled: bool, reason: str | None = None
) -> SagaStep:
    state: StepState = "compensated" if compensated_at else "compensating" if cancelled else "done"
    return SagaStep(name=name, state=state, at=at, compensated_at=compensated_at, reason=reason if cancelled else None)


def of_saga(connection: Connection[Any], saga: Saga, *, with_notes: bool = False) -> Timeline:
    """The timeline of an order that was just read."""
    found = entries(connection, saga.order_id)
    return Timeline(
        saga=saga,
        payment=payments.fetch_one(connection, saga.order_id),
        steps=steps(saga),
        entries=found,
        edges=edges(found),
        usual=sagas.usual_waits(connection).get(saga.waits_for) if saga.waits_for else None,
        notes=notes.of_order(connection, saga.order_id) if with_notes else [],
    )
