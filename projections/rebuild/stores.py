"""Reading an event store: everything up to a snapshot, then what became visible since, and nothing twice."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection, IsolationLevel
from psycopg.sql import SQL

from ordersaga.database import snapshot_window as window
from projections.rebuild.session import NAME

AT_ONCE = 2000
"""Rows that a cursor fetches in a round trip."""
COLUMNS = "originator_id, originator_version, topic, state, hash, correlation_id, causation_id, actor"
STRETCH = f"select {COLUMNS} from stored_events where position > %(after)s and position <= %(last)s"  # noqa: S608
SINCE = window.unseen(COLUMNS, "stored_events")
"""The transaction's own snapshot is the second."""


@dataclass(frozen=True)
class Moment:
    """A store as it was at one moment."""

    snapshot: str
    exported: str
    """Under which other connections see the same, as long as the connection that took it stays in its transaction."""
    last_position: int


def open_store(url: str) -> Connection[Any]:
    """Its transactions only read, each as of the moment in which it begins."""
    connection = psycopg.connect(url, application_name=NAME)
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    return connection


def take_moment(store: Connection[Any]) -> Moment:
    """Begins a transaction that has to stay open until nobody needs the moment any more."""
    row = store.execute(
        """select pg_current_snapshot()::text, pg_export_snapshot(),
               (select coalesce(max(position), 0) from stored_events)"""
    ).fetchone()
    assert row is not None
    return Moment(*row)


def join_moment(store: Connection[Any], exported: str) -> None:
    """Begins a transaction that sees what another one sees."""
    store.execute(SQL("set transaction snapshot {}").format(exported))


def stretch(store: Connection[Any], after: int, last: int) -> Iterator[tuple[Any, ...]]:
    """The events of these positions."""
    return read(store, STRETCH, {"after": after, "last": last})


def since(store: Connection[Any], snapshot: str) -> Iterator[tuple[Any, ...]]:
    """The events that were not visible in the snapshot and are in the store's transaction."""
    return read(store, SINCE, {"since": snapshot})


def read(store: Connection[Any], query: str, parameters: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    with store.cursor("rebuild", binary=True) as cursor:
        cursor.itersize = AT_ONCE
        yield from cursor.execute(query, parameters)
