"""Orders: by page, by id, unfinished, and how long each step usually takes."""

from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from psycopg import Connection
from psycopg.sql import SQL

from ordersaga.readside.rows import Row, applicable, columns, select, where

State = Literal["placed", "confirmed", "cancelled"]
Waiting = Literal["stock", "payment", "confirmation", "cancellation", "shipment", "release", "refund"]
RefundState = Literal["pending", "failed", "succeeded"]
RECENT = 2000
"""The number of ended orders from which usual durations are computed."""


class SagaLine(Row):
    """A quantity of one product, at the price when the order was placed, in minor units."""

    sku: str
    quantity: int
    unit_price: int


class Saga(Row):
    """One order: `total` in minor units; every `_at` is the time of a message, null until it arrives.

    `overdue`: neither confirmed nor cancelled, though the time to complete it has passed.
    """

    order_id: UUID
    correlation_id: UUID | None
    customer: str | None
    lines: list[SagaLine] | None
    total: int | None
    currency: str | None
    placed_at: datetime | None
    complete_by: datetime | None
    reserved_at: datetime | None
    rejected_at: datetime | None
    rejection: str | None
    captured_at: datetime | None
    late_charge_at: datetime | None
    declined_at: datetime | None
    decline: str | None
    refunded_at: datetime | None
    refund_pending_at: datetime | None
    refund_failed_at: datetime | None
    confirmed_at: datetime | None
    cancelled_at: datetime | None
    reason: str | None
    released_at: datetime | None
    shipped_at: datetime | None
    last_at: datetime
    messages: int
    state: State
    step: int
    waits_for: Waiting | None
    waits_since: datetime | None
    ended_at: datetime | None
    overdue: bool
    waited_seconds: float | None

    @property
    def refund(self) -> RefundState | None:
        """How the refund stands, by its newest message; None without one."""
        times: tuple[tuple[RefundState, datetime | None], ...] = (
            ("succeeded", self.refunded_at),
            ("failed", self.refund_failed_at),
            ("pending", self.refund_pending_at),
        )
        known = [(at, state) for state, at in times if at]
        return max(known)[1] if known else None


class SagaFilter(NamedTuple):
    """None does not filter; `since` (inclusive) and `until` (exclusive) compare with `placed_at`."""

    state: State | None = None
    waits_for: Waiting | None = None
    overdue: bool | None = None
    customer: str | None = None
    since: datetime | None = None
    until: datetime | None = None


ALL = SagaFilter()


class SagaCursor(NamedTuple):
    """The last order of a page; the next page begins after it."""

    time: datetime
    order_id: UUID


class UsualWait(Row):
    """How long the last ended orders waited for one thing, in seconds."""

    waits_for: Waiting
    orders: int
    median: float
    p95: float


COLUMNS = columns(
    Saga,
    overdue="state = 'placed' and coalesce(complete_by < now(), false)",
    waited_seconds="extract(epoch from now() - waits_since)::float8",
)

CONDITIONS = {
    "state": SQL("state = %(state)s"),
    "waits_for": SQL("waits_for = %(waits_for)s"),
    "overdue": SQL("(state = 'placed' and coalesce(complete_by < now(), false)) = %(overdue)s"),
    "customer": SQL("customer = %(customer)s"),
    "since": SQL("placed_at >= %(since)s"),
    "until": SQL("placed_at < %(until)s"),
}
OVERDUE = SQL("waits_for is not null and state = 'placed' and complete_by < now()")

PAGE = SQL("select {} from saga_view {} order by placed_at desc, order_id desc limit %(limit)s")


def page(
    connection: Connection[Any], wanted: SagaFilter = ALL, limit: int = 50, behind: SagaCursor | None = None
) -> list[Saga]:
    """Newest first; `behind` is the last order of the previous page."""
    values = {**wanted._asdict(), "limit": limit}
    known = CONDITIONS | ({"overdue": OVERDUE} if wanted.overdue else {})
    conditions = [SQL("placed_at is not null"), *applicable(known, values)]
    if behind:
        values |= {"time": behind.time, "order_id": behind.order_id}
        conditions.append(SQL("(placed_at, order_id) < (%(time)s, %(order_id)s)"))
    return select(connection, Saga, PAGE.format(COLUMNS, where(conditions)), values)


ONE = SQL("select {} from saga_view where order_id = %(order_id)s").format(COLUMNS)


def fetch_one(connection: Connection[Any], order_id: UUID) -> Saga | None:
    return next(iter(select(connection, Saga, ONE, {"order_id": order_id})), None)


UNFINISHED = SQL("select {} from saga_view {} order by waits_since, order_id limit %(limit)s")


def unfinished(
    connection: Connection[Any], limit: int = 50, behind: SagaCursor | None = None, waits_for: Waiting | None = None
) -> list[Saga]:
    """The longest waiting first; the time in `behind` is a `waits_since`."""
    values: dict[str, Any] = {"limit": limit, "waits_for": waits_for}
    conditions = [SQL("waits_for is not null"), SQL("waits_since is not null"), *applicable(CONDITIONS, values)]
    if behind:
        values |= {"time": behind.time, "order_id": behind.order_id}
        conditions.append(SQL("(waits_since, order_id) > (%(time)s, %(order_id)s)"))
    return select(connection, Saga, UNFINISHED.format(COLUMNS, where(conditions)), values)


USUAL_WAITS = SQL("""
select awaited as waits_for, count(*) as orders,
    percentile_cont(0.5) within group (order by seconds) as median,
    percentile_cont(0.95) within group (order by seconds) as p95
from (select * from saga_view where ended_at is not null order by ended_at desc limit %(sample)s) as recent,
    lateral (values
        ('stock', coalesce(reserved_at, rejected_at) - placed_at),
        ('payment', coalesce(captured_at, declined_at) - reserved_at),
        ('confirmation', confirmed_at - captured_at),
        ('cancellation', cancelled_at - coalesce(declined_at, rejected_at)),
        ('shipment', shipped_at - confirmed_at),
        ('release', released_at - greatest(cancelled_at, reserved_at)),
        ('refund', refunded_at - greatest(cancelled_at, captured_at, late_charge_at))
    ) as took (awaited, lapse),
    lateral (select extract(epoch from lapse)::float8 as seconds) as measured
where seconds >= 0
group by awaited
""")


def usual_waits(connection: Connection[Any], sample: int = RECENT) -> dict[Waiting, UsualWait]:
    """By what orders wait for; a key is missing when none of the last orders waited for it."""
    return {row.waits_for: row for row in select(connection, UsualWait, USUAL_WAITS, {"sample": sample})}
