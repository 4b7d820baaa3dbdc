"""Stored events to messages, and these into a table by COPY."""

from collections.abc import Iterable
from importlib import import_module
from typing import Any

from psycopg import Connection, sql

from messaging.announcements import Announcements
from messaging.message import Message
from messaging.republish import messages

COLUMNS = {
    "message_id": "uuid",
    "contract": "text",
    "source": "text",
    "key": "text",
    "sequence": "int8",
    "time": "timestamptz",
    "event_hash": "bytea",
    "correlation_id": "uuid",
    "causation_id": "uuid",
    "actor": "text",
    "body": "text",
}
"""Those columns of the event log that follow from the stored event; the others only the live row knows."""


def announcements_of(service: str) -> Announcements:
    """Found by name, as the topology finds a group: nothing here imports a service."""
    announcements: Announcements = import_module(f"{service}.announcements").announcements
    return announcements


def derive(connection: Connection[Any], table: str, service: str, events: Iterable[tuple[Any, ...]]) -> tuple[int, int]:
    """Write what announces these events into a table of the shadow; returns how many events and messages it were."""
    announcements = announcements_of(service)
    read = written = 0
    statement = sql.SQL("copy rebuild.{} ({}) from stdin (format binary)").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types([*COLUMNS.values()])
        for event in events:
            read += 1
            for message in messages(announcements, *event):
                copy.write_row(row(message))
                written += 1
    return read, written


def row(m: Message) -> tuple[Any, ...]:
    cause = m.cause
    return (
        *(m.id, m.contract, m.source, m.key, m.sequence, m.time, m.event_hash),
        *(cause.correlation_id, cause.causation_id, cause.actor, m.body),
    )
