"""A snapshot of each database, in a sequence in which no effect is older than its cause."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

from psycopg import Connection, IsolationLevel

from ordersaga.readside.read_side import ReadSide
from ordersaga.runtime.sessions import REPORT, connect
from ordersaga.service import Service

NAME = "ordersaga reconcile"
numbers = count(1)
"""Several cursors are open in one connection at once."""
ROWS_PER_FETCH = 2000


@dataclass(frozen=True)
class Snapshots:
    """Connections by service. `received` is older than `announced`: a message that is in an inbox and in no store was
    therefore never announced, however busy the system is."""

    received: Mapping[str, Connection[Any]]
    announced: Mapping[str, Connection[Any]]
    """The services that record events: all but read sides."""
    read_sides: Sequence[str]


@contextmanager
def take_snapshots(services: Sequence[Service], urls: Mapping[str, str]) -> Iterator[Snapshots]:
    """Snapshot all databases; `urls` maps the name of a service to the URL for the owner of its database."""
    read_sides = [service.name for service in services if isinstance(service, ReadSide)]
    names = [service.name for service in services]
    with ExitStack() as stack:
        received = {name: stack.enter_context(snapshot(urls[name])) for name in names}
        announced = {name: stack.enter_context(snapshot(urls[name])) for name in names if name not in read_sides}
        yield Snapshots(received, announced, read_sides)


@contextmanager
def snapshot(url: str) -> Iterator[Connection[Any]]:
    """A read-only transaction with a snapshot of its beginning."""
    with connect(url, NAME, REPORT, autocommit=False) as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        connection.execute("select 1")
        yield connection


def rows(connection: Connection[Any], query: str, parameters: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Rows through a server-side cursor, so that one batch of them is held."""
    with connection.cursor(f"reconcile_{next(numbers)}") as cursor:
        cursor.itersize = ROWS_PER_FETCH
        yield from cursor.execute(query, parameters, binary=True)
