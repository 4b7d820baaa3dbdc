"""The event log: every message once, at positions that all readers see in the same order."""

from collections.abc import Sequence
from typing import Any

from psycopg import Connection

from ordersaga.database.locks import EVENT_LOG
from ordersaga.envelope.message import COLUMNS, Message, to_row

LOCK = "select pg_advisory_xact_lock({}, {})".format(*EVENT_LOG)
TYPES = COLUMNS | {"body": "jsonb"}
INSERT = f"""
insert into event_log ({", ".join(TYPES)})
select * from unnest({", ".join(f"%b::{type_}[]" for type_ in TYPES.values())})
on conflict (message_id) do nothing
returning position
"""  # noqa: S608


def lock(connection: Connection[Any]) -> None:
    """Become the only writer of the log and its views until the transaction ends.

    Positions then become visible in their order, so that a reader after a position misses no late commit. And batches
    that write to the same row of a view wait here, instead of in a deadlock.
    """
    connection.execute(LOCK)


def append(connection: Connection[Any], messages: Sequence[Message]) -> list[int]:
    """Log these messages in one statement. Returns the positions of the new ones."""
    if not messages:
        return []
    columns = [list(column) for column in zip(*map(to_row, messages), strict=True)]
    return [position for (position,) in connection.execute(INSERT, columns)]
