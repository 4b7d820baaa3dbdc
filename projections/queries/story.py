"""One order's story: what happened, because of what, how far it is, what was undone, and what it waits for."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from psycopg import Connection
from psycopg.sql import SQL

from projections.queries import events, payments, sagas
from projections.queries.events import Event
from projections.queries.payments import Payment
from projections.queries.rows import Row, select
from projections.queries.sagas import Saga, Usual

StepName = Literal["placed", "reserved", "charged", "confirmed"]
StepState = Literal["done", "under_way", "failed", "undoing", "undone", "not_reached"]


class Told(Event):
    """A message of the order; `since_cause` is in seconds, null for what no message caused."""

    since_cause: float | None


class Edge(Row):
    """One message and another that it caused."""

    cause: UUID
    effect: UUID


class Step(Row):
    """One of the four; `undoing` waits to be undone, `undone_at` tells when that was done."""

    name: StepName
    state: StepState
    at: datetime | None
    undone_at: datetime | None = None
    reason: str | None = None


class Story(Row):
    """`usual`: how long others waited for what this one waits for now."""

    saga: Saga
    payment: Payment | None
    steps: list[Step]
    timeline: list[Told]
    edges: list[Edge]
    usual: Usual | None


TIMELINE = SQL("""
select {}, extract(epoch from time - caused_at)::float8 as since_cause
from event_log
    left join (select message_id as cause, time as caused_at from event_log) as causes on cause = causation_id
where key = %(key)s
order by time, position
limit %(limit)s
""").format(events.COLUMNS)


def timeline(connection: Connection[Any], order_id: UUID, limit: int = 1000) -> list[Told]:
    """All messages of an order, by time."""
    return select(connection, Told, TIMELINE, {"key": str(order_id), "limit": limit})


def edges(told: list[Told]) -> list[Edge]:
    """What caused what, among these."""
    ids = {each.message_id for each in told}
    return [Edge(cause=e.causation_id, effect=e.message_id) for e in told if e.causation_id in ids and e.causation_id]


def steps(saga: Saga) -> list[Step]:
    """The four steps of an order, with the way back."""
    return [placed(saga), reserved(saga), charged(saga), confirmed(saga)]


def placed(saga: Saga) -> Step:
    if saga.placed_at is None:
        return Step(name="placed", state="under_way", at=None)
    return done_or_undone("placed", saga.placed_at, saga.cancelled_at, saga.cancelled_at is not None, saga.reason)


def reserved(saga: Saga) -> Step:
    if saga.rejected_at:
        return Step(name="reserved", state="failed", at=saga.rejected_at, reason=saga.rejection)
    if saga.reserved_at:
        return done_or_undone("reserved", saga.reserved_at, saga.released_at, saga.cancelled_at is not None)
    return Step(name="reserved", state="under_way" if saga.waits_for == "stock" else "not_reached", at=None)


def charged(saga: Saga) -> Step:
    charged_at = saga.captured_at or saga.late_charge_at
    if charged_at:
        return done_or_undone("charged", charged_at, saga.refunded_at, saga.cancelled_at is not None)
    if saga.declined_at:
        return Step(name="charged", state="failed", at=saga.declined_at, reason=saga.decline)
    return Step(name="charged", state="under_way" if saga.waits_for == "payment" else "not_reached", at=None)


def confirmed(saga: Saga) -> Step:
    if saga.confirmed_at:
        undone = saga.cancelled_at is not None
        return done_or_undone("confirmed", saga.confirmed_at, saga.cancelled_at, undone, saga.reason)
    return Step(name="confirmed", state="under_way" if saga.waits_for == "confirmation" else "not_reached", at=None)


def done_or_undone(
    name: StepName, at: datetime, undone_at: datetime | None, cancelled: bool, reason: str | None = None
) -> Step:
    state: StepState = "undone" if undone_at else "undoing" if cancelled else "done"
    return Step(name=name, state=state, at=at, undone_at=undone_at, reason=reason if cancelled else None)


def tell(connection: Connection[Any], saga: Saga) -> Story:
    """The story of an order that was just read."""
    told = timeline(connection, saga.order_id)
    return Story(
        saga=saga,
        payment=payments.one(connection, saga.order_id),
        steps=steps(saga),
        timeline=told,
        edges=edges(told),
        usual=sagas.usual(connection).get(saga.waits_for) if saga.waits_for else None,
    )
