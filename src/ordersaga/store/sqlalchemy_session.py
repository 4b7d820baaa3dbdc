"""A session of SQLAlchemy in the transaction of a reaction, on the connection that the worker has open."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.pool import PoolProxiedConnection

from ordersaga.store.transaction import Transaction

DRIVER = "psycopg"


@contextmanager
def sqlalchemy_session(transaction: Transaction, engine: Engine, **options: Any) -> Iterator[Session]:
    """A session whose changes are committed with the received message, or not at all.

        @reactions.to(BookReturned)
        def when_book_returned_note_the_visit(message: BookReturned, transaction: Transaction) -> None:
            with sqlalchemy_session(transaction, engine) as session:
                session.add(Visit(book_id=message.book_id))

    The session is flushed at the end of the block. `rollback` undoes the changes of the block alone; `commit` is final
    only once the transaction commits. The savepoint takes two round trips.

    Args:
        transaction: the transaction of the reaction.
        engine: one engine for the process, with the driver psycopg. It connects once, to read the server's version.
        options: options of the session.

    Raises:
        TypeError: the engine has another driver.
        psycopg.Error: the database refused a statement; SQLAlchemy's error is its `__cause__`.
    """
    if engine.dialect.driver != DRIVER:
        raise TypeError(f"The worker's connection is psycopg's; make an engine of postgresql+{DRIVER}://, not {engine}")
    if engine.dialect.server_version_info is None:
        engine.connect().close()
    try:
        with (
            Connection(engine, BorrowedConnection(transaction.connection)) as connection,
            connection.begin(),
            Session(connection, join_transaction_mode="create_savepoint", **options) as session,
        ):
            yield session
            session.commit()
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.Error):
            # `classify` then distinguishes an outage or a deadlock from a failure of the reaction.
            raise error.orig from error
        raise


class BorrowedConnection(PoolProxiedConnection):
    """A borrowed connection: only its owner commits, rolls back and closes it."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.dbapi_connection: Any = connection
        self.info: dict[str, Any] = {}

    @property
    def driver_connection(self) -> psycopg.Connection[Any]:  # type: ignore[override]
        connection: psycopg.Connection[Any] = self.dbapi_connection
        return connection

    @property
    def is_valid(self) -> bool:
        return not self.driver_connection.closed

    @property
    def is_detached(self) -> bool:
        return False

    @property
    def record_info(self) -> None:
        return None

    def cursor(self, *arguments: Any, **options: Any) -> DBAPICursor:
        cursor: DBAPICursor = self.dbapi_connection.cursor(*arguments, **options)
        return cursor

    def commit(self) -> None:
        pass

    def rollback(self) -> None:
        pass

    def close(self) -> None:
        pass

    def detach(self) -> None:
        pass

    def invalidate(self, e: BaseException | None = None, soft: bool = False) -> None:
        """Does nothing: the worker detects a lost connection."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.dbapi_connection, name)
