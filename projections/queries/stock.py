"""Products: price and stock of each."""

from typing import Any

from psycopg import Connection
from psycopg.sql import SQL

from ordersaga.readside.rows import Row, applicable, columns, select, where


class Stock(Row):
    """One product: `unit_price` in minor units, all quantities in pieces."""

    sku: str
    name: str | None
    unit_price: int | None
    currency: str | None
    retired: bool
    received: int
    corrected: int
    reserved: int
    released: int
    shipped: int
    returned: int
    on_hand: int
    set_aside: int
    available: int


COLUMNS = columns(Stock)
CONDITIONS = {"behind": SQL("sku > %(behind)s"), "first": SQL("sku >= %(first)s")}
PAGE = SQL("select {} from stock_view {} order by sku limit %(limit)s")


def page(
    connection: Connection[Any], limit: int = 50, behind: str | None = None, first: str | None = None
) -> list[Stock]:
    """By SKU, from `first` on; `behind` is the last SKU of the previous page."""
    values = {"limit": limit, "behind": behind, "first": first}
    return select(connection, Stock, PAGE.format(COLUMNS, where(applicable(CONDITIONS, values))), values)


ONE = SQL("select {} from stock_view where sku = %(sku)s").format(COLUMNS)


def fetch_one(connection: Connection[Any], sku: str) -> Stock | None:
    return next(iter(select(connection, Stock, ONE, {"sku": sku})), None)
