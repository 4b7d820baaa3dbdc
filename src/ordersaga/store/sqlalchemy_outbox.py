"""The outbox for SQLAlchemy's connections and sessions, whatever their driver."""

from sqlalchemy import Connection, insert
from sqlalchemy.orm import Session, scoped_session

from ordersaga.database.schema import outbox
from ordersaga.envelope.message import COLUMNS, Message, to_row
from ordersaga.runtime.errors import NoTransaction


def write(connection: object, message: Message) -> None:
    """Insert the row of a message in the transaction of a Connection or Session.

    Raises:
        NoTransaction: its isolation level is AUTOCOMMIT.
        TypeError: `connection` is neither.
    """
    if isinstance(connection, Session | scoped_session):
        connection.flush()
        connection = connection.connection()
    if not isinstance(connection, Connection):
        raise TypeError(
            f"announce takes a Connection of psycopg or a Connection or Session of SQLAlchemy, not a "
            f"{type(connection).__name__}. With psycopg's AsyncConnection use announce_async, with SQLAlchemy's "
            "asyncio `await session.run_sync(announce, data)`, with Django `connection.connection` inside of atomic()"
        )
    if getattr(connection.connection.dbapi_connection, "autocommit", False):
        raise NoTransaction(
            "announce needs the transaction of the change that it tells of; this engine is in AUTOCOMMIT. "
            'Use `engine.execution_options(isolation_level="READ COMMITTED")`'
        )
    connection.execute(insert(outbox), dict(zip(COLUMNS, to_row(message), strict=True)))
