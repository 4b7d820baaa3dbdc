"""Sessions in Postgres: the only place that opens them, each with the time limits of its kind."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import ConnectionPool

from ordersaga.runtime.bounded_connection import BoundedConnection
from ordersaga.runtime.pooling import refuse_unusable
from ordersaga.runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """The time limits of one kind of session, in seconds; 0 is none.

    The server ends a session whose client is frozen or lost, so that its locks are free within seconds.
    """

    connect: int = 5
    lock: float = 10
    """Longest wait for one lock; then the statement fails with SQLSTATE 55P03."""
    statement: float = 0
    """Longest statement; then it fails with SQLSTATE 57014."""
    idle_in_transaction: float = 60
    """Longest pause between two statements of a transaction; then the server ends the session."""
    idle: float = 0
    """Longest pause of a session outside a transaction; then the server ends the session."""
    unreachable: int = 20
    """How long sent data may stay unacknowledged; then client and server give the connection up. An answer may come
    so much later than the server's limit of a statement; then the client gives the connection up."""
    by_index: bool = False
    """Whether the planner avoids reading a whole table. It plans a prepared statement once: for a table that was tiny
    then it chose to read all of it, and goes on so while the table grows, until new statistics are taken."""

    @property
    def answer(self) -> float:
        """Longest wait for the answer to one statement."""
        return self.statement + self.unreachable if self.statement else 0


WORKER = SessionLimits(statement=30, idle_in_transaction=5, by_index=True)
"""Consumers, outside steps, retries and deadlines. All is shorter than the broker's heartbeat timeout (60 s)."""
API = SessionLimits(connect=2, lock=7, statement=10, idle_in_transaction=5, by_index=True)
"""Requests. A lock is given up before the statement, and after a frozen worker's session has ended."""
RELAY = SessionLimits(statement=300, idle_in_transaction=3, idle=3, unreachable=3, by_index=True)
"""Relays: one that is frozen or unreachable loses its lead. A relay that leads sends something every second."""
OPERATOR = SessionLimits(connect=10)
"""Commands that change rows. A statement may take as long as the person waits."""
REPORT = SessionLimits(connect=10, idle_in_transaction=3600)
"""Readers of whole tables in one snapshot; they hold no locks that anybody waits for."""
SEALER = SessionLimits(connect=10, statement=3600, idle_in_transaction=3600)
"""The same for the sealer, which nobody would interrupt where an answer never comes."""
REBUILD = SessionLimits(connect=10, lock=60, idle_in_transaction=3600)
"""Rebuilds of the read side, which lock live tables only for their swap."""
MIGRATION = SessionLimits(connect=10, lock=60)
"""Migrations and their owner's commands; of two migrations the second waits for the first."""
DIAGNOSIS = SessionLimits(connect=3, lock=1, statement=5, idle_in_transaction=10, idle=30, unreachable=5)
"""Questions about what stalls a database: they must end soon while it stalls."""
QUEUE_CHANGE = SessionLimits(lock=15, idle=30)
"""Sessions that pause workers and relays: a frozen command pauses nobody forever."""


def adjusted(limits: SessionLimits, settings: Settings) -> SessionLimits:
    """The limits with those that the settings name."""
    given: dict[str, Any] = {
        "lock": settings.lock_timeout_seconds,
        "statement": settings.statement_timeout_seconds,
        "idle_in_transaction": settings.idle_in_transaction_timeout_seconds,
    }
    return replace(limits, **{name: seconds for name, seconds in given.items() if seconds is not None})


def connect(
    url: str, name: str, limits: SessionLimits, *, autocommit: bool = True, settings: Mapping[str, str] | None = None
) -> Connection[Any]:
    """A session, named in pg_stat_activity. What the URL itself sets for libpq wins over the limits.

    Raises:
        psycopg.OperationalError: the database does not answer.
        UnusableDatabase: it answers, but cannot be used.
    """
    connection = BoundedConnection.connect(conninfo(url, name, limits), autocommit=True)
    try:
        prepare(connection, limits, settings or {})
        connection.autocommit = autocommit
    except BaseException:
        connection.close()
        raise
    return connection


def open_pool(
    url: str,
    name: str,
    limits: SessionLimits,
    max_size: int,
    **options: Any,
) -> ConnectionPool[Connection[Any]]:
    """A pool of such sessions in autocommit; `options` are those of psycopg's pool."""
    return ConnectionPool(
        conninfo(url, name, limits),
        connection_class=BoundedConnection,
        kwargs={"autocommit": True},
        configure=partial(prepare, limits=limits),
        max_size=max_size,
        **options,
    )


def of_this_process(name: str) -> str:
    """The name of a session with its host and process id, by which a person finds the process."""
    return f"{name} {socket.gethostname()} {os.getpid()}"


def conninfo(url: str, name: str, limits: SessionLimits) -> str:
    """The URL with what libpq watches: connecting, and a server that has vanished."""
    own: dict[str, Any] = {
        "connect_timeout": limits.connect,
        "keepalives_idle": limits.unreachable // 2,
        "keepalives_interval": max(1, limits.unreachable // 4),
        "keepalives_count": 3,
        "tcp_user_timeout": limits.unreachable * 1000,
        "client_encoding": "UTF8",
    }
    return make_conninfo(url, **{**own, **conninfo_to_dict(url), "application_name": name})


def prepare(connection: Connection[Any], limits: SessionLimits, settings: Mapping[str, str] | None = None) -> None:
    """Bound the wait for answers. Set what the server watches, in one round trip; refuse a database or a pooler that
    cannot be used.

    A startup parameter would take no round trip, but poolers refuse those that they do not know.
    """
    assert isinstance(connection, BoundedConnection)
    connection.longest_wait = limits.answer
    wanted = {**server_settings(limits), **(settings or {})}
    calls = ", ".join(["set_config(%s, %s, false)"] * len(wanted))
    parameters = [text for setting in wanted.items() for text in setting]
    row = connection.execute(f"select pg_backend_pid(), {calls}".encode(), parameters, prepare=False).fetchone()
    assert row is not None
    refuse_unusable(connection, row[0])


def server_settings(limits: SessionLimits) -> dict[str, str]:
    """What the server watches; times are in milliseconds, keepalives in seconds."""
    return {
        "lock_timeout": milliseconds(limits.lock),
        "statement_timeout": milliseconds(limits.statement),
        "idle_in_transaction_session_timeout": milliseconds(limits.idle_in_transaction),
        "idle_session_timeout": milliseconds(limits.idle),
        "tcp_keepalives_idle": str(limits.unreachable // 2),
        "tcp_keepalives_interval": str(max(1, limits.unreachable // 4)),
        "tcp_keepalives_count": "3",
        "tcp_user_timeout": str(limits.unreachable * 1000),
        **({"enable_seqscan": "off"} if limits.by_index else {}),
    }


def milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))
