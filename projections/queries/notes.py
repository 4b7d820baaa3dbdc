"""Notes that people wrote about an order; rows are added and never changed."""

from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.sql import SQL

from ordersaga.readside.rows import Row, columns, select

MAX_TEXT = 2000


class OrderNote(Row):
    """What an operator wrote about an order."""

    position: int
    order_id: UUID
    actor: str
    text: str
    noted_at: datetime


COLUMNS = columns(OrderNote)
OF_ORDER = SQL("""
select {} from order_notes where order_id = %(order_id)s order by position limit %(limit)s
""").format(COLUMNS)


def of_order(connection: Connection[Any], order_id: UUID, limit: int = 500) -> list[OrderNote]:
    """Oldest first."""
    return select(connection, OrderNote, OF_ORDER, {"order_id": order_id, "limit": limit})


ADD = SQL("""
insert into order_notes (order_id, actor, text) values (%(order_id)s, %(actor)s, %(text)s) returning {}
""").format(COLUMNS)


def add(connection: Connection[Any], order_id: UUID, actor: str, text: str) -> OrderNote:
    """The caller's transaction commits; `text` has 1 to 2,000 characters."""
    return select(connection, OrderNote, ADD, {"order_id": order_id, "actor": actor, "text": text})[0]
