"""Write messages into the event log, each once, in an order that everybody sees alike."""

from collections.abc import Sequence
from typing import Any

from psycopg import Connection

from ordersaga.database.locks import EVENT_LOG
from ordersaga.envelope.message import COLUMNS, Message, to_row

READ_SIDE = "projections"
"""The database that the log is in."""
LOCK = "select pg_advisory_xact_lock(%s, %s)"


def lock(connection: Connection[Any]) -> None:
    """Be the only writer of the log and its views until the transaction ends.

    So positions become visible in their order: who reads behind a position misses nothing that commits late. And
    batches that meet on a product or a minute wait here, instead of for one another in a deadlock.
    """
    connection.execute(LOCK, EVENT_LOG)


TYPES = COLUMNS | {"body": "jsonb"}
INSERT = f"""
insert into event_log ({", ".join(TYPES)})
select * from unnest({", ".join(f"%b::{type_}[]" for type_ in TYPES.values())})
on conflict (message_id) do nothing
returning position
"""  # noqa: S608


def append(connection: Connection[Any], messages: Sequence[Message]) -> list[int]:
    """Log these messages in one statement; returns the positions of those that were new."""
    if not messages:
        return []
    columns = [list(column) for column in zip(*map(to_row, messages), strict=True)]
    return [position for (position,) in connection.execute(INSERT, columns)]
