"""Search by id, by the beginning of an id, and by name."""

import re
from typing import Any, Literal
from uuid import UUID

from psycopg import Connection
from psycopg.sql import SQL

from ordersaga.readside.rows import Row, select

PREFIX = re.compile(r"[0-9a-f]{4,32}")
DIGITS = 32


class SearchHit(Row):
    """One result; `id` opens it, `text` describes it to a person."""

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


def by_id(connection: Connection[Any], low: UUID, high: UUID, limit: int = 10) -> list[SearchHit]:
    """Orders, messages and correlations with an id from `low` to `high`, both inclusive; at most `limit` of each."""
    return select(connection, SearchHit, BY_ID, {"low": low, "high": high, "limit": limit})


BY_NAME = SQL("""
(select 'customer' as kind, customer as id, 'last order ' || order_id as text
from saga_view where customer = %(name)s order by placed_at desc, order_id desc limit 1)
union all
select 'product', sku, coalesce(name, sku) from stock_view where sku = %(name)s
""")


def by_name(connection: Connection[Any], name: str) -> list[SearchHit]:
    """The customer with this name and the product with this SKU."""
    return select(connection, SearchHit, BY_NAME, {"name": name})


def search(connection: Connection[Any], text: str, limit: int = 10) -> list[SearchHit]:
    """All results for a text: an id, at least four of its first digits, a customer or a SKU."""
    digits = text.strip().lower().replace("-", "")
    found = []
    if PREFIX.fullmatch(digits):
        low, high = UUID(digits.ljust(DIGITS, "0")), UUID(digits.ljust(DIGITS, "f"))
        found = by_id(connection, low, high, limit)
    return found + by_name(connection, text.strip())
