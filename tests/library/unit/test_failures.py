"""Which failures blame the message, and which do not."""

import psycopg
import pytest
from pika.exceptions import AMQPConnectionError
from psycopg_pool import PoolTimeout

from ordersaga.envelope.message import UnreadableMessage
from ordersaga.runtime.errors import AlreadyReceived, Conflict, ErrorKind, Unavailable, classify, describe
from ordersaga.store.transaction import AggregateNotFound


@pytest.mark.parametrize(
    "error",
    [
        psycopg.OperationalError("connection refused"),
        psycopg.InterfaceError("the connection is closed"),
        PoolTimeout("no connection within 30 s"),
        psycopg.errors.AdminShutdown(),
        psycopg.errors.CrashShutdown(),
        psycopg.errors.CannotConnectNow(),
        psycopg.errors.TooManyConnections(),
        psycopg.errors.DiskFull(),
        psycopg.errors.ReadOnlySqlTransaction(),
        psycopg.errors.InvalidPassword(),
        psycopg.errors.InvalidCatalogName(),
        psycopg.errors.IdleInTransactionSessionTimeout(),
        psycopg.errors.LockNotAvailable(),
        AMQPConnectionError(),
        Unavailable(),
    ],
)
def test_a_server_that_is_away_says_nothing_about_the_message(error: Exception) -> None:
    assert classify(error) is ErrorKind.UNAVAILABLE


@pytest.mark.parametrize(
    "error",
    [
        Conflict(),
        AlreadyReceived(),
        psycopg.errors.SerializationFailure(),
        psycopg.errors.DeadlockDetected(),
    ],
)
def test_whoever_came_second_tries_again(error: Exception) -> None:
    assert classify(error) is ErrorKind.CONFLICT


@pytest.mark.parametrize(
    "error",
    [
        ValueError("wrong"),
        AggregateNotFound("no counter"),
        psycopg.errors.QueryCanceled(),
        psycopg.errors.ProgramLimitExceeded(),
        psycopg.errors.NumericValueOutOfRange(),
        psycopg.errors.UniqueViolation(),
        psycopg.DataError("text cannot contain NUL"),
        ConnectionResetError("the card processor hung up"),
    ],
)
def test_a_reaction_that_fails_blames_its_message(error: Exception) -> None:
    assert classify(error) is ErrorKind.FAILED


def test_an_unreadable_message_needs_a_person() -> None:
    assert classify(UnreadableMessage("header ce-id is missing")) is ErrorKind.INVALID


def test_a_failure_is_described_by_the_place_that_raised() -> None:
    def fails() -> None:
        raise ValueError("no \0 good")

    with pytest.raises(ValueError, match="good") as raised:
        fails()
    failure = describe(raised.value)
    assert failure.error == "ValueError"
    assert failure.place.startswith("unit/test_failures.py:")
    assert failure.place.endswith(" test_a_failure_is_described_by_the_place_that_raised.<locals>.fails")
    assert "in fails" in failure.traceback


def test_an_error_that_was_never_raised_has_no_place() -> None:
    assert describe(ValueError("told, not raised")).place == ""
