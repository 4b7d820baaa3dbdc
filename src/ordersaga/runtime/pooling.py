"""Databases that sessions cannot be used with: a pooler that shares sessions, an encoding other than UTF-8."""

from typing import Any

import psycopg
from psycopg import Connection

from ordersaga.runtime.errors import UnusableDatabase

ROUNDS = 10
"""Checks of a pooler. Each finds a shared session unless another client takes it in the same millisecond."""


accepted: set[tuple[str, int, str, str]] = set()
"""Host, port, database and user of the poolers that were found to keep sessions apart."""


def refuse_unusable(connection: Connection[Any], backend: int) -> None:
    """Raises UnusableDatabase; `backend` is the server process that answers on this connection."""
    require_utf8(connection)
    if backend != connection.info.backend_pid:
        require_own_session(connection)


def require_utf8(connection: Connection[Any]) -> None:
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise UnusableDatabase(
            f"The database {connection.info.dbname} has the encoding {encoding}, which cannot hold every text. "
            "Create it with `encoding 'UTF8' template template0`."
        )


def require_own_session(connection: Connection[Any]) -> None:
    """Behind a pooler, which answers under a process id of its own: refuse one that shares sessions.

    Pooled by session, the connection keeps its server process until it closes, and no other connection gets it.
    """
    info = connection.info
    address = (info.host, info.port, info.dbname, info.user)
    if address in accepted:
        return
    with psycopg.connect(info.dsn, password=info.password, autocommit=True) as other:
        if any(is_shared(connection, other) for _ in range(ROUNDS)):
            raise UnusableDatabase(
                f"The pooler at {info.host}:{info.port} gives the sessions of the database {info.dbname} to others "
                "between two transactions, which loses locks and settings. "
                "Pool it by session (PgBouncer: pool_mode = session), or name Postgres itself in the URL."
            )
    accepted.add(address)


def is_shared(connection: Connection[Any], other: Connection[Any]) -> bool:
    """Whether a server process serves both connections, or one connection has had two."""
    before = backend_of(connection)
    try:
        with other.transaction():
            return backend_of(other) == before or backend_of(connection) != before
    except psycopg.errors.ProtocolViolation:
        return True


def backend_of(connection: Connection[Any]) -> int:
    row = connection.execute("select pg_backend_pid()", prepare=False).fetchone()
    assert row is not None
    return int(row[0])
