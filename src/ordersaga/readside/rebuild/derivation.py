"""Derivation: turns stored events into messages and copies these into a table."""

from collections.abc import Iterable
from typing import Any

from psycopg import Connection, sql

from ordersaga.envelope import message
from ordersaga.store.announcements import Announcements
from ordersaga.store.republish import messages

COLUMNS = {name: type_ for name, type_ in message.COLUMNS.items() if name not in ("traceparent", "tracestate")}
"""The columns of the event log that follow from the stored event; only the live row has the others."""


def derive(
    connection: Connection[Any], table: str, announcements: Announcements, events: Iterable[tuple[Any, ...]]
) -> tuple[int, int]:
    """Write the messages that announce these events into a table of the shadow.

    Returns the number of events and of messages.
    """
    read = written = 0
    statement = sql.SQL("copy rebuild.{} ({}) from stdin (format binary)").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types([*COLUMNS.values()])
        for event in events:
            read += 1
            for derived in messages(announcements, *event):
                *known, _, _, body = message.to_row(derived)
                copy.write_row((*known, body))
                written += 1
    return read, written
