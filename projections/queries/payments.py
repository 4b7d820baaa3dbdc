"""Payments: charged, declined and refunded."""

from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from psycopg import Connection
from psycopg.sql import SQL

from ordersaga.readside.rows import Row, applicable, columns, select, where

State = Literal[
    "captured", "declined", "charged_late", "refund_pending", "refund_failed", "refund_requested", "refunded"
]


class PaymentRow(Row):
    """The payment of one order; amounts in minor units."""

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
    last_at: datetime
    state: State


class PaymentCursor(NamedTuple):
    """The last payment of a page; the next page begins after it."""

    time: datetime
    order_id: UUID


COLUMNS = columns(PaymentRow)
CONDITIONS = {"state": SQL("state = %(state)s"), "time": SQL("(last_at, order_id) < (%(time)s, %(order_id)s)")}
PAGE = SQL("select {} from payment_view {} order by last_at desc, order_id desc limit %(limit)s")


def page(
    connection: Connection[Any], state: State | None = None, limit: int = 50, behind: PaymentCursor | None = None
) -> list[PaymentRow]:
    """The last changed payments first; a payment that changes between two pages moves to the front."""
    values = {"state": state, "limit": limit, **(behind._asdict() if behind else {})}
    return select(connection, PaymentRow, PAGE.format(COLUMNS, where(applicable(CONDITIONS, values))), values)


ONE = SQL("select {} from payment_view where order_id = %(order_id)s").format(COLUMNS)


def fetch_one(connection: Connection[Any], order_id: UUID) -> PaymentRow | None:
    return next(iter(select(connection, PaymentRow, ONE, {"order_id": order_id})), None)
