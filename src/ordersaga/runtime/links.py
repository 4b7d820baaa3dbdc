"""The state of a connection to a server, logged once for each change."""

from collections.abc import Iterator
from contextlib import contextmanager
from select import POLLIN, poll
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.errors import InsufficientPrivilege, UndefinedTable
from psycopg_pool import ConnectionPool

from ordersaga.runtime.backoff import Backoff
from ordersaga.runtime.errors import Unavailable
from ordersaga.runtime.logs import log
from ordersaga.runtime.reasons import reason_of
from ordersaga.runtime.sessions import WORKER, SessionLimits, connect, of_this_process

MIN_PAUSE = 0.05
RECONNECT = Backoff(first=0.2, longest=5.0)
ROLE_NEEDED = "The URL must be of the role of this service; `ordersaga migrate` grants it its rights"


class Link:
    """The state of the connection to one server, for the log, the health endpoint and the back-off."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.problem = f"{name} is not connected yet"
        self._failures = 0

    def up(self) -> None:
        if self.problem:
            log.info(f"{self.name} is connected")
        self.problem = ""
        self._failures = 0

    def down(self, error: BaseException) -> None:
        if not self._failures:
            log.warning(f"{self.name} is away, trying again until it answers", reason=in_one_line(error))
        self.problem = f"{self.name} is away: {in_one_line(error)}"
        self._failures += 1

    def idle(self) -> None:
        """It is not used now, so nothing is wrong with it."""
        self.problem = ""
        self._failures = 0

    def pause(self) -> float:
        """Seconds to wait before the next try."""
        return MIN_PAUSE + RECONNECT.seconds(self._failures)


def in_one_line(error: BaseException) -> str:
    if isinstance(error, Unavailable):
        return str(error)
    return f"{type(error).__name__}: {reason_of(error)}" if isinstance(error, psycopg.Error) else repr(error)


class DatabaseLink(Link):
    """One connection, opened on demand and reopened after a loss."""

    def __init__(self, name: str, url: str, limits: SessionLimits = WORKER, session: str = "") -> None:
        """`session` names it in pg_stat_activity, with host and process id; by default it has the name of the link."""
        super().__init__(name)
        self._session = session or name
        self._url = url
        self._limits = limits
        self._connection: Connection[Any] | None = None

    def connection(self) -> Connection[Any]:
        """A connection in autocommit: callers begin transactions.

        Raises:
            Unavailable, psycopg.OperationalError: the database does not answer or is not migrated yet.
            UnusableDatabase: it answers, but cannot be used.
        """
        if self._connection is None or self._connection.closed:
            self._connection = connect_migrated(self._url, of_this_process(self._session), self._limits)
        return self._connection

    def down(self, error: BaseException) -> None:
        super().down(error)
        self.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def connect_migrated(url: str, name: str, limits: SessionLimits) -> Connection[Any]:
    """A session in autocommit. Raises Unavailable when the tables are missing or not granted."""
    connection = connect(url, name, limits)
    try:
        connection.execute("select from inbox, parked_messages, operator_actions limit 0")
    except BaseException as error:
        connection.close()
        if isinstance(error, UndefinedTable):
            raise Unavailable(f"{reason_of(error)}. Run `ordersaga migrate`") from error
        if isinstance(error, InsufficientPrivilege):
            raise Unavailable(f"{reason_of(error)}. {ROLE_NEEDED}") from error
        raise
    return connection


def is_disturbed(connection: Connection[Any]) -> bool:
    """Whether the server has sent data on an idle connection, which means that it closes the connection.

    Takes 2 microseconds; a `select 1` takes a round trip.
    """
    poller = poll()
    poller.register(connection.fileno(), POLLIN)
    return bool(poller.poll(0))


@contextmanager
def lend(pool: ConnectionPool[Connection[Any]], timeout: float | None = None) -> Iterator[Connection[Any]]:
    """Lend a connection of a pool for the block; those that the server has ended are replaced first.

    With a `check` that raises and leaves such a connection open, psycopg_pool hands it out again for ever; after one
    that closes it, psycopg_pool sleeps a second for each, so that the first request after a restart would fail.

    Raises:
        PoolTimeout: none is free within `timeout` seconds (default: the pool's).
    """
    connection = pool.getconn(timeout)
    if is_disturbed(connection):
        connection.close()
        pool.putconn(connection)
        pool.check()
        connection = pool.getconn(timeout)
    try:
        yield connection
    finally:
        pool.putconn(connection)
