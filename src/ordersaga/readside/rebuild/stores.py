"""The events of a store: all up to a snapshot, then those that became visible later, each once."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from psycopg import Connection, IsolationLevel
from psycopg.sql import SQL

from ordersaga.database import snapshot_window as window
from ordersaga.readside.rebuild.session import NAME
from ordersaga.runtime.sessions import REPORT, connect

ROWS_PER_FETCH = 2000
COLUMNS = "originator_id, originator_version, topic, state, hash, correlation_id, causation_id, actor"
STRETCH = f"select {COLUMNS} from stored_events where position > %(after)s and position <= %(last)s"  # noqa: S608
SINCE = window.unseen(COLUMNS, "stored_events")
"""The snapshot of the transaction is the end of the window."""


@dataclass(frozen=True)
class StoreSnapshot:
    """A store as it was at one moment."""

    snapshot: str
    exported: str
    """Its name for other connections, valid while the transaction that took it is open."""
    last_position: int


def open_store(url: str) -> Connection[Any]:
    """A connection whose transactions are read-only, each with one snapshot."""
    connection = connect(url, NAME, REPORT, autocommit=False)
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    return connection


def take_snapshot(store: Connection[Any]) -> StoreSnapshot:
    """Begin a transaction; it must stay open while other connections join its snapshot."""
    row = store.execute(
        """select pg_current_snapshot()::text, pg_export_snapshot(),
               (select coalesce(max(position), 0) from stored_events)"""
    ).fetchone()
    assert row is not None
    return StoreSnapshot(*row)


def join_snapshot(store: Connection[Any], exported: str) -> None:
    """Begin a transaction with the snapshot of another one."""
    store.execute(SQL("set transaction snapshot {}").format(exported))


def stretch(store: Connection[Any], after: int, last: int) -> Iterator[tuple[Any, ...]]:
    """The events behind `after` up to `last`."""
    return read(store, STRETCH, {"after": after, "last": last})


def since(store: Connection[Any], snapshot: str) -> Iterator[tuple[Any, ...]]:
    """The events that the store's transaction sees and the snapshot did not."""
    return read(store, SINCE, {"since": snapshot})


def read(store: Connection[Any], query: str, parameters: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Rows through a server-side cursor, so that one batch of them is held."""
    with store.cursor("rebuild", binary=True) as cursor:
        cursor.itersize = ROWS_PER_FETCH
        yield from cursor.execute(query, parameters)
