"""What an id, the beginning of one, or a name may stand for."""

import re
from typing import Any, Literal
from uuid import UUID

from psycopg import Connection
from psycopg.sql import SQL

from ordersaga.readside.rows import Row, select

PREFIX = re.compile(r"[0-9a-f]{4,32}")
DIGITS = 32


class Found(Row):
    """`id` is what to open; `text` tells a person what it is."""

    kind: Literal["order", "message", "correlation", "customer", "product"]
    id: str
    text: str


BY_ID = SQL("""
(select 'order' as kind, order_id::text as id,
    concat_ws(', ', state, customer, to_char(placed_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')) as text
from saga_view where order_id between %(low)s and %(high)s order by order_id limit %(limit)s)
union all
(select 'message', message_id::text, contract || ' of ' || key
from event_log where message_id between %(low)s and %(high)s order by event_log.message_id limit %(limit)s)
union all
(select 'correlation', correlation_id::text, count(*) || ' messages'
from (select correlation_id from event_log where correlation_id between %(low)s and %(high)s
    order by correlation_id limit 1000) as correlated
group by correlation_id order by correlated.correlation_id limit %(limit)s)
""")


def by_id(connection: Connection[Any], low: UUID, high: UUID, limit: int = 10) -> list[Found]:
    """Orders, messages and correlations whose id lies between these, both included; so many of each."""
    return select(connection, Found, BY_ID, {"low": low, "high": high, "limit": limit})


BY_NAME = SQL("""
(select 'customer' as kind, customer as id, 'last order ' || order_id as text
from saga_view where customer = %(name)s order by placed_at desc, order_id desc limit 1)
union all
select 'product', sku, coalesce(name, sku) from stock_view where sku = %(name)s
""")


def by_name(connection: Connection[Any], name: str) -> list[Found]:
    """The customer and the product of this name."""
    return select(connection, Found, BY_NAME, {"name": name})


def search(connection: Connection[Any], text: str, limit: int = 10) -> list[Found]:
    """Everything that the text may stand for: an id, its first four digits or more, a customer or a SKU."""
    digits = text.strip().lower().replace("-", "")
    found = []
    if PREFIX.fullmatch(digits):
        low, high = UUID(digits.ljust(DIGITS, "0")), UUID(digits.ljust(DIGITS, "f"))
        found = by_id(connection, low, high, limit)
    return found + by_name(connection, text.strip())
