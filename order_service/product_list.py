"""Products by page, in the order in which they were listed first."""

from typing import Any
from uuid import UUID

from psycopg import Connection

from order_service.product import Product

PAGE = """
select originator_id from stored_events as listed
where topic = %(listed)s and originator_version = 1
    and (%(after)s::uuid is null or position > (
        select position from stored_events where originator_id = %(after)s and originator_version = 1))
    and (%(is_retired)s::boolean is null or %(is_retired)s = (
        select topic = %(retired)s from stored_events as last
        where last.originator_id = listed.originator_id order by originator_version desc limit 1))
order by position limit %(limit)s
"""
"""A product is retired if that is its last event. A price list has some thousand products, so that a page of the few
that are retired may look at the last event of each."""


def page(
    connection: Connection[Any], limit: int, after: UUID | None = None, is_retired: bool | None = None
) -> list[UUID]:
    """Ids of products, behind the product `after`; those that are retired, or those that are not, or both."""
    topics = {"listed": Product.Listed.TOPIC, "retired": Product.Retired.TOPIC}
    rows = connection.execute(PAGE, {**topics, "after": after, "is_retired": is_retired, "limit": limit})
    return [row[0] for row in rows]
