"""Payments: charged, declined and refunded, whole or in parts."""

from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from psycopg import Connection
from psycopg.sql import SQL

from ordersaga.readside.rows import Row, applicable, columns, select, where

State = Literal[
    "captured", "declined", "charged_late", "refund_pending", "refund_failed", "refund_requested", "refunded"
]


PartState = Literal["requested", "pending", "refunded", "failed", "taken_over"]


class PartRow(Row):
    """A part of a payment that an operator refunds; one that is taken over is refunded with the rest."""

    part: int
    amount: int
    state: PartState
    reason: str | None
    requested_at: datetime | None
    refunded_at: datetime | None
    refund_id: str | None
    failed_at: datetime | None
    failure: str | None
    last_at: datetime


class PaymentRow(Row):
    """The payment of one order; amounts in minor units.

    `refunded` and `rest_...` are of the refund that a cancellation makes, of all that the parts leave; `back` is what
    the customer has back, parts included. The state of a payment with a failed part is `refund_failed`.
    """

    order_id: UUID
    amount: int | None
    currency: str | None
    charge_id: str | None
    captured_at: datetime | None
    late_charge_at: datetime | None
    declined_at: datetime | None
    decline: str | None
    refund_id: str | None
    refunded_at: datetime | None
    refunded: int | None
    refund_pending_at: datetime | None
    refund_failed_at: datetime | None
    refund_failure: str | None
    refund_requested_at: datetime | None
    refund_checked_at: datetime | None
    rest_refunded_at: datetime | None
    rest_at: datetime | None
    last_at: datetime
    state: State
    back: int
    refunds: list[PartRow]


class PaymentCursor(NamedTuple):
    """The last payment of a page; the next page begins after it."""

    time: datetime
    order_id: UUID


PARTS = SQL("""
left join lateral (
    select coalesce(sum(amount) filter (where part_state = 'refunded'), 0)::bigint as parts_back,
        coalesce(bool_or(part_state = 'failed'), false) as part_failed,
        coalesce(jsonb_agg(jsonb_build_object('part', part, 'amount', amount, 'state', part_state, 'reason', reason,
            'requested_at', requested_at, 'refunded_at', refunded_at, 'refund_id', refund_id, 'failed_at', failed_at,
            'failure', failure, 'last_at', last_at) order by part), '[]') as refunds
    from (
        select refund_view.*, case
            when state in ('requested', 'failed') and payment_view.rest_at > refund_view.last_at then 'taken_over'
            else state end as part_state
        from refund_view where refund_view.order_id = payment_view.order_id) as parts) as parts on true
""")
COLUMNS = columns(
    PaymentRow,
    state="case when part_failed then 'refund_failed' else state end",
    back="parts_back + case when rest_refunded_at >= greatest(rest_refunded_at, refund_failed_at) "
    "then coalesce(refunded, 0) else 0 end",
)
FAILED = SQL("""
order_id = any(array(select order_id from payment_view where state = 'refund_failed'
    union select order_id from refund_view join payment_view using (order_id)
    where refund_view.state = 'failed' and (rest_at > refund_view.last_at) is not true))
""")
CONDITIONS = {"state": SQL("state = %(state)s"), "time": SQL("(last_at, order_id) < (%(time)s, %(order_id)s)")}
PAGE = SQL("select {} from payment_view {} {} order by last_at desc, order_id desc limit %(limit)s")


def page(
    connection: Connection[Any], state: State | None = None, limit: int = 50, behind: PaymentCursor | None = None
) -> list[PaymentRow]:
    """The last changed payments first; a payment that changes between two pages moves to the front.

    A payment with a failed part is in the pages of both states, its own and `refund_failed`.
    """
    values = {"state": state, "limit": limit, **(behind._asdict() if behind else {})}
    known = CONDITIONS | ({"state": FAILED} if state == "refund_failed" else {})
    return select(connection, PaymentRow, PAGE.format(COLUMNS, PARTS, where(applicable(known, values))), values)


ONE = SQL("select {} from payment_view {} where order_id = %(order_id)s").format(COLUMNS, PARTS)


def fetch_one(connection: Connection[Any], order_id: UUID) -> PaymentRow | None:
    return next(iter(select(connection, PaymentRow, ONE, {"order_id": order_id})), None)
