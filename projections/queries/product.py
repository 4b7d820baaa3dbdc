"""One product: its stock, the orders that hold it, and what happened to it."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.sql import SQL

from ordersaga.readside import events
from ordersaga.readside.events import EventFilter, LoggedEvent
from ordersaga.readside.rows import Row, select
from projections.queries import stock
from projections.queries.sagas import Waiting
from projections.queries.stock import Stock

LOOKED_AT = 5000
"""Unfinished orders that are looked at, the longest waiting first; usually there are fewer."""


class Holding(Row):
    """An order that has reserved pieces of the product, which are neither shipped nor released."""

    order_id: UUID
    quantity: int
    waits_for: Waiting
    reserved_at: datetime


class Product(Row):
    """A product; `holdings` are the longest waiting first, `history` the newest first.

    The history has prices and the retirement, what was received and corrected, and nothing of orders.
    """

    stock: Stock
    holdings: list[Holding]
    history: list[LoggedEvent]


HOLDINGS = SQL("""
select order_id, waits_for, reserved_at,
    (select sum((line ->> 'quantity')::bigint)::bigint from jsonb_array_elements(lines) as line
    where line ->> 'sku' = %(sku)s) as quantity
from (select * from saga_view where waits_for is not null order by waits_since, order_id limit %(looked_at)s) as waiting
where reserved_at is not null and released_at is null and shipped_at is null and lines @> %(line)s::jsonb
order by waits_since, order_id limit %(limit)s
""")


def holdings(connection: Connection[Any], sku: str, limit: int = 50) -> list[Holding]:
    values = {"sku": sku, "line": json.dumps([{"sku": sku}]), "looked_at": LOOKED_AT, "limit": limit}
    return select(connection, Holding, HOLDINGS, values)


def fetch_one(connection: Connection[Any], sku: str, limit: int = 50) -> Product | None:
    """The product of this SKU. Three statements."""
    found = stock.fetch_one(connection, sku)
    if found is None:
        return None
    history = events.page(connection, EventFilter(key=sku), limit)
    return Product(stock=found, holdings=holdings(connection, sku, limit), history=history)
