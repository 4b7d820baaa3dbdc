"""Payments: what was charged, declined and given back."""

from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from psycopg import Connection
from psycopg.sql import SQL

from ordersaga.readside.rows import Row, columns, given, select, where

State = Literal["captured", "declined", "charged_late", "refunded"]


class Payment(Row):
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
    last_at: datetime
    state: State


class Place(NamedTuple):
    """Where a page ended: the next one goes on behind it."""

    time: datetime
    order_id: UUID


COLUMNS = columns(Payment)
CONDITIONS = {"state": SQL("state = %(state)s"), "time": SQL("(last_at, order_id) < (%(time)s, %(order_id)s)")}
PAGE = SQL("select {} from payment_view {} order by last_at desc, order_id desc limit %(limit)s")


def page(
    connection: Connection[Any], state: State | None = None, limit: int = 50, behind: Place | None = None
) -> list[Payment]:
    """Those to which something happened last come first; one that changes meanwhile moves to the front."""
    values = {"state": state, "limit": limit, **(behind._asdict() if behind else {})}
    return select(connection, Payment, PAGE.format(COLUMNS, where(given(CONDITIONS, values))), values)


ONE = SQL("select {} from payment_view where order_id = %(order_id)s").format(COLUMNS)


def one(connection: Connection[Any], order_id: UUID) -> Payment | None:
    return next(iter(select(connection, Payment, ONE, {"order_id": order_id})), None)
