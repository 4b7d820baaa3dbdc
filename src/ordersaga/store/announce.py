"""`announce`: puts a message without an event into the outbox, in the caller's transaction."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg import AsyncConnection, AsyncCursor, Connection, Cursor
from psycopg.pq import TransactionStatus
from uuid_utils.compat import uuid7

from ordersaga.envelope.declaration import require_contract
from ordersaga.envelope.limits import require_within_limits
from ordersaga.envelope.message import Cause, ContractData, Message
from ordersaga.runtime.errors import NoTransaction
from ordersaga.store import flush, spans

if TYPE_CHECKING:
    import sqlalchemy
    from sqlalchemy.orm import Session, scoped_session

    from ordersaga.otel.span import Span

    CallersConnection = Connection[Any] | sqlalchemy.Connection | Session | scoped_session[Any]

NO_EVENT = 0
"""The sequence of a message without an event; versions of aggregates begin at 1."""


def announce(
    connection: "CallersConnection",
    data: ContractData,
    *,
    id: UUID | None = None,
    sequence: int = NO_EVENT,
    cause: Cause | None = None,
) -> Message:
    """Put a message into the outbox, in the open transaction of the caller's connection.

    The relay publishes the message if the transaction commits; a rollback removes it:

        with psycopg.connect(url) as connection:
            connection.execute("update books set reader = null where id = %s", (book_id,))
            announce(connection, BookReturned(book_id=book_id))

    Messages of one key arrive in the order in which they were announced. Two transactions that announce the same key
    keep the order of their commits if each changes, and so locks, the row that the key names before it announces.

    Args:
        connection: of psycopg, or a `Connection` or `Session` of SQLAlchemy on any PostgreSQL driver; a session is
            flushed first. `ordersaga migrate` must have migrated its database.
        data: an instance of a contract.
        id: a message with the same id and content takes effect once, so that the caller may retry; one with the same
            id and other content is parked as a fork. Default: a new UUIDv7.
        sequence: a version of the subject of the key, for receivers who compare versions. Default: 0, none.
        cause: the correlation, the causing message and the actor. Default: a new correlation.

    Raises:
        NoTransaction: the connection is in autocommit, outside a transaction.
        ValueError: the message violates the limits of an envelope, such as the length of its key.
        TypeError: the connection is of another kind.
    """
    with traced(message_of(data, id=id, sequence=sequence, cause=cause)) as message:
        if isinstance(connection, Connection):
            require_transaction(connection)
            Cursor(connection).execute(*flush.insertion({"messages": [message]}))
        else:
            # The caller has imported SQLAlchemy already; callers with psycopg must not pay for the import.
            from ordersaga.store import sqlalchemy_outbox

            sqlalchemy_outbox.write(connection, message)
    return message


async def announce_async(
    connection: AsyncConnection[Any],
    data: ContractData,
    *,
    id: UUID | None = None,
    sequence: int = NO_EVENT,
    cause: Cause | None = None,
) -> Message:
    """The same as `announce`, on psycopg's AsyncConnection.

    With SQLAlchemy's AsyncSession or AsyncConnection: `await session.run_sync(announce, data)`.
    """
    if not isinstance(connection, AsyncConnection):
        raise TypeError(f"announce_async takes an AsyncConnection of psycopg, not a {type(connection).__name__}")
    with traced(message_of(data, id=id, sequence=sequence, cause=cause)) as message:
        require_transaction(connection)
        await AsyncCursor(connection).execute(*flush.insertion({"messages": [message]}))
    return message


@contextmanager
def traced(message: Message) -> Iterator[Message]:
    """The message, with a span of its own for the block if this process records spans; an error leaves no span."""
    begun: list[Span] = []
    yield spans.created(message, begun)
    spans.end(begun)


def message_of(data: ContractData, *, id: UUID | None, sequence: int, cause: Cause | None) -> Message:
    """The message of a contract that is announced without an event. Raises ValueError."""
    require_contract(type(data))
    key, body, new = str(getattr(data, data.KEY)), data.model_dump_json(), uuid7()
    message = Message(
        id=id or new,
        contract=data.NAME,
        source=data.SOURCE,
        key=key,
        sequence=sequence,
        time=datetime.now(UTC),
        event_hash=content_hash(data.NAME, key, body),
        cause=cause or Cause(correlation_id=new),
        body=body,
    )
    require_within_limits(message)
    return message


def content_hash(contract: str, key: str, body: str) -> bytes:
    """SHA-256 over the three, each after its length in 4 bytes; takes the place of the hash of an event."""
    digest = hashlib.sha256()
    for part in (contract.encode(), key.encode(), body.encode()):
        digest.update(len(part).to_bytes(4, "big"))
        digest.update(part)
    return digest.digest()


def require_transaction(connection: Connection[Any] | AsyncConnection[Any]) -> None:
    """Raises NoTransaction."""
    if connection.autocommit and connection.info.transaction_status == TransactionStatus.IDLE:
        raise NoTransaction(
            "announce needs the transaction of the change that it tells of. Begin one: `with connection.transaction():`"
        )
