"""An order as it was at a time: its row of saga_view, folded again from the messages until then."""

from datetime import datetime
from random import randrange
from typing import Any
from uuid import UUID, uuid4

from psycopg import Connection
from psycopg.rows import dict_row

from ordersaga.envelope.message import COLUMNS
from projections.service import projections
from projections.views import sagas

# The copied messages have another key and positions below zero, so that no live row is read or locked.
REPLACED = {"message_id": "gen_random_uuid()", "key": "%(copy_id)s"}
COPY = f"""
insert into event_log ({", ".join(COLUMNS)}, position) overriding system value
select {", ".join(REPLACED.get(name, name) for name in COLUMNS)}, %(first)s - 1 + row_number() over (order by position)
from event_log where key = %(order)s and time <= %(time)s and contract = any(%(of_orders)s)
"""  # noqa: S608
ROW = "select * from saga_view where order_id = %s"


def saga_as_of(connection: Connection[Any], order: UUID, time: datetime) -> dict[str, Any] | None:
    """The columns of saga_view; None when there was no message of the order. Every change is rolled back."""
    first, copy_id = -randrange(1 << 40, 1 << 60), uuid4()
    values = {"first": first, "of_orders": sagas.NAMES_OF_ORDERS}
    with connection.transaction(force_rollback=True):
        connection.execute(COPY, {**values, "copy_id": str(copy_id), "order": str(order), "time": time})
        projections.fold(connection, first, first + (1 << 32), [sagas.VIEW.table])
        with connection.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute(ROW, (copy_id,)).fetchone()
    return {**row, "order_id": order} if row else None
