"""Search by id, by the first or last digits of an id, and by name; and the one order or message with given digits."""

from typing import Any, Literal
from uuid import UUID

from psycopg import Connection
from psycopg.sql import SQL

from ordersaga.readside import short_ids
from ordersaga.readside.rows import Row, select

Kind = Literal["order", "message", "correlation", "customer", "product", "charge", "refund"]
LIMIT = 10
"""Results of each kind."""


class SearchHit(Row):
    """One result; `id` opens it, `text` describes it to a person; a charge or a refund is of an order."""

    kind: Kind
    id: str
    text: str
    order_id: UUID | None = None


ORDER = """
select 'order' as kind, order_id::text as id,
    concat_ws(', ', state, customer, to_char(placed_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')) as text,
    order_id
from saga_view"""

BY_FIRST_DIGITS = SQL(f"""
({ORDER} where order_id between %(low)s and %(high)s order by saga_view.order_id limit %(limit)s)
union all
(select 'message', message_id::text, contract || ' of ' || key, null
from event_log where message_id between %(low)s and %(high)s order by event_log.message_id limit %(limit)s)
union all
(select 'correlation', correlation_id::text, count(*) || case count(*) when 1 then ' message' else ' messages' end, null
from (select correlation_id from event_log where correlation_id between %(low)s and %(high)s
    order by correlation_id limit 1000) as correlated
group by correlation_id order by correlated.correlation_id limit %(limit)s)
""")  # noqa: S608 - a constant


def by_first_digits(connection: Connection[Any], digits: str, limit: int = LIMIT) -> list[SearchHit]:
    """Orders, messages and correlations whose id has these first digits; at most `limit` of each."""
    low, high = short_ids.bounds(digits)
    return select(connection, SearchHit, BY_FIRST_DIGITS, {"low": low, "high": high, "limit": limit})


ORDERS = SQL(f"{ORDER} where order_id = any(%(ids)s) order by saga_view.order_id")


def by_last_digits(connection: Connection[Any], digits: str, limit: int = LIMIT) -> list[SearchHit]:
    """Orders whose id has these last digits, which is how pages show it."""
    found = short_ids.keys_ending(connection, digits, limit)
    return select(connection, SearchHit, ORDERS, {"ids": found}) if found else []


BY_NAME = SQL("""
(select 'customer' as kind, customer as id,
    'last order ' || to_char(placed_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"') as text,
    null::uuid as order_id
from saga_view where customer = %(name)s order by placed_at desc, saga_view.order_id desc limit 1)
union all
select 'product', sku, coalesce(name, sku), null from stock_view where sku = %(name)s
union all
(select 'charge', charge_id, 'payment ' || replace(state, '_', ' '), order_id
from payment_view where charge_id = %(name)s limit 10)
union all
(select 'refund', refund_id, 'payment ' || replace(state, '_', ' '), order_id
from payment_view where refund_id = %(name)s limit 10)
union all
(select 'refund', refund_id, 'part ' || part || ' ' || state, order_id
from refund_view where refund_id = %(name)s limit 10)
""")


def by_name(connection: Connection[Any], name: str) -> list[SearchHit]:
    """The customer of this name, the product of this SKU, and the charge and the refund with this id."""
    return select(connection, SearchHit, BY_NAME, {"name": name})


def search(connection: Connection[Any], text: str, limit: int = LIMIT) -> list[SearchHit]:
    """All results for a text: an id, its first or last digits (four at least), a customer, a SKU, a charge, a refund.

    At most four statements.
    """
    found: list[SearchHit] = []
    if digits := short_ids.digits_of(text):
        found = by_first_digits(connection, digits, limit)
        known = {(each.kind, each.id) for each in found}
        found += [hit for hit in by_last_digits(connection, digits, limit) if (hit.kind, hit.id) not in known]
    return found + by_name(connection, text.strip())


class AmbiguousId(Exception):
    """Several ids have these digits."""

    def __init__(self, digits: str, candidates: list[UUID]) -> None:
        self.candidates = candidates
        super().__init__(f"{digits} fits several: {short_ids.named(candidates)}. Give more digits, or the whole id.")


ORDERS_BEGINNING = SQL("""
select order_id from saga_view
where order_id between %(low)s and %(high)s and (%(customer)s::text is null or customer = %(customer)s)
order by order_id limit %(limit)s
""")
ORDERS_OF = SQL("""
select order_id from saga_view
where order_id = any(%(ids)s) and (%(customer)s::text is null or customer = %(customer)s)
""")


def order_with(connection: Connection[Any], digits: str, customer: str | None = None) -> UUID | None:
    """The only order with these first or last digits, of this customer or of all. Raises AmbiguousId."""
    if found := short_ids.whole(digits):
        return found
    low, high = short_ids.bounds(digits)
    values = {"low": low, "high": high, "customer": customer, "limit": short_ids.MAX_CANDIDATES}
    ending = {"ids": short_ids.keys_ending(connection, digits), "customer": customer}
    rows = [*connection.execute(ORDERS_OF, ending), *connection.execute(ORDERS_BEGINNING, values)]
    return only(digits, [order_id for (order_id,) in rows])


def message_with(connection: Connection[Any], digits: str) -> UUID | None:
    """The only message with these first digits. Raises AmbiguousId."""
    return short_ids.whole(digits) or only(digits, short_ids.messages_beginning(connection, digits))


def order_of(connection: Connection[Any], text: str) -> UUID | None:
    """The only order that a text names by its id or some of its digits. Raises AmbiguousId."""
    digits = short_ids.digits_of(text)
    return order_with(connection, digits) if digits else None


def message_of(connection: Connection[Any], text: str) -> UUID | None:
    """The only message that a text names by its id or its first digits. Raises AmbiguousId."""
    digits = short_ids.digits_of(text)
    return message_with(connection, digits) if digits else None


def only(digits: str, candidates: list[UUID]) -> UUID | None:
    several = sorted(set(candidates))
    if len(several) > 1:
        raise AmbiguousId(digits, several[: short_ids.MAX_CANDIDATES])
    return several[0] if several else None
