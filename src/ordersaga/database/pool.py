"""Database: the connection pool of a process, and the problems that keep the process from using its database."""

from collections.abc import Iterable
from contextlib import AbstractContextManager, suppress
from typing import Any

from psycopg import Connection, OperationalError
from sqlalchemy import MetaData

from ordersaga.database.schema import metadata
from ordersaga.runtime.errors import UnusableDatabase
from ordersaga.runtime.links import lend
from ordersaga.runtime.sessions import API, SessionLimits, connect, open_pool

CONNECTION_SECONDS = 2
"""Longest wait for a free connection."""

MISSING = """
select wanted.tab, array_agg(wanted.col)
from unnest(%s::text[], %s::text[]) as wanted (tab, col)
left join pg_attribute a on a.attrelid = to_regclass(wanted.tab) and a.attname = wanted.col and not a.attisdropped
where a.attname is null
group by wanted.tab order by wanted.tab
"""


class Database:
    """A pool of connections in autocommit mode: a single statement is a transaction; callers begin longer ones."""

    def __init__(self, url: str, name: str, size: int, *tables: MetaData, limits: SessionLimits = API) -> None:
        """Connect in the background: a process starts without its database, and is ready once it answers.

        Raises:
            UnusableDatabase: it answers, but cannot be used.
        """
        self.name = name
        self.tables = (metadata, *tables)
        self.url, self.limits = url, limits
        self.require_usable()
        self.pool = open_pool(
            url,
            f"{name} api",
            limits,
            size,
            min_size=min(2, size),
            timeout=CONNECTION_SECONDS,
            # Requests wait while the pool reconnects. After this time it stops, and the next request reconnects.
            reconnect_timeout=1,
            open=True,
        )

    def connection(self, timeout: float | None = None) -> AbstractContextManager[Connection[Any]]:
        """Lend a connection for the block. Raises PoolTimeout when none is free within `timeout` seconds."""
        return lend(self.pool, timeout)

    def require_usable(self) -> None:
        """Raises UnusableDatabase, which the pool, connecting in the background, can only log."""
        with suppress(OperationalError):
            connect(self.url, f"{self.name} api", self.limits).close()

    def refusal(self) -> str:
        try:
            self.require_usable()
        except UnusableDatabase as error:
            return str(error)
        return f"The database {self.name} does not answer. Start it, or correct {self.name.upper()}_DATABASE_URL."

    def problems(self) -> list[str]:
        """The reasons why the process cannot use the database, each a sentence."""
        try:
            with self.connection(timeout=1) as connection:
                missing = missing_columns(connection, self.tables)
        except OperationalError:
            return [self.refusal()]
        remedy = "Run ordersaga migrate."
        return [f"The database {self.name} lacks {table} ({', '.join(names)}). {remedy}" for table, names in missing]


def missing_columns(connection: Connection[Any], expected: Iterable[MetaData]) -> list[tuple[str, list[str]]]:
    """(table, missing columns) for each table that lacks columns of these definitions."""
    wanted = [
        (table.name, column.name) for all_ in expected for table in all_.sorted_tables for column in table.columns
    ]
    tables, columns = map(list, zip(*wanted, strict=True))
    return connection.execute(MISSING, (tables, columns)).fetchall()
