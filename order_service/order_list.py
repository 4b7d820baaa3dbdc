"""Orders by page, newest first: which they are is read from the list, what they are from their events."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, get_args
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row
from psycopg.sql import SQL

from order_service.order import Order, State
from ordersaga.readside.rows import Statement, applicable, where
from ordersaga.store.transaction import Transaction


class ListedOrder(NamedTuple):
    """A row of the list; the last one of a page is the cursor, behind which the next page begins."""

    placed_at: datetime
    order_id: UUID


class OrderFilter(NamedTuple):
    """None does not filter; `since` (inclusive) and `until` (exclusive) compare with the time of placing."""

    state: State | None = None
    customer: str | None = None
    since: datetime | None = None
    until: datetime | None = None


CONDITIONS = {
    "customer": SQL("customer = %(customer)s"),
    "since": SQL("placed_at >= %(since)s"),
    "until": SQL("placed_at < %(until)s"),
    "placed_at": SQL("(placed_at, order_id) < (%(placed_at)s, %(order_id)s)"),
}
PAGE = SQL("""
select placed_at, order_id from unnest(%(states)s::text[]) as wanted (state) cross join lateral (
    select placed_at, order_id from order_list {} order by placed_at desc, order_id desc limit %(limit)s) as newest
order by placed_at desc, order_id desc limit %(limit)s
""")
"""The newest of each wanted state, and the newest of these: in both indexes the state stands before the time, so a page
reads three times its rows at most, whichever filters it has."""


def page(
    connection: Connection[Any], wanted: OrderFilter, limit: int, behind: ListedOrder | None = None
) -> list[ListedOrder]:
    """Newest first; `behind` is the last order of the previous page."""
    with connection.cursor(row_factory=class_row(ListedOrder)) as cursor:
        return cursor.execute(*query(wanted, limit, behind)).fetchall()


def query(wanted: OrderFilter, limit: int, behind: ListedOrder | None) -> tuple[Statement, dict[str, Any]]:
    """The statement for the filters that are there, and its parameters."""
    values: dict[str, Any] = {**wanted._asdict(), **(behind._asdict() if behind else {}), "limit": limit}
    values["states"] = [wanted.state] if wanted.state else list(get_args(State))
    conditions = [SQL("order_list.state = wanted.state"), *applicable(CONDITIONS, values)]
    return PAGE.format(where(conditions)), values


def current(transaction: Transaction, listed: Sequence[ListedOrder], wanted: OrderFilter) -> list[Order]:
    """The orders as they are now, in one query, without those that have left the wanted state meanwhile."""
    transaction.load(row.order_id for row in listed)
    orders = [transaction.get(Order, row.order_id) for row in listed]
    return [order for order in orders if wanted.state in (None, order.state)]
