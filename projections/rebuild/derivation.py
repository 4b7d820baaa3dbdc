"""Stored events to messages, and these into a table by COPY."""

from collections.abc import Iterable
from typing import Any

from psycopg import Connection, sql

from ordersaga.envelope import message
from ordersaga.store.republish import messages
from projections.sources import SOURCES

COLUMNS = {name: type_ for name, type_ in message.COLUMNS.items() if name not in ("traceparent", "tracestate")}
"""Those columns of the event log that follow from the stored event; the others only the live row knows."""


def derive(connection: Connection[Any], table: str, service: str, events: Iterable[tuple[Any, ...]]) -> tuple[int, int]:
    """Write what announces these events into a table of the shadow; returns how many events and messages it were."""
    announcements = SOURCES[service].announcements
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
