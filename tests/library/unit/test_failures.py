"""Which failures blame the message, and which do not."""

from typing import Any

import psycopg
import pytest
from pika.exceptions import AMQPConnectionError
from psycopg_pool import PoolTimeout

from ordersaga.consumer.consumer import continues_after
from ordersaga.envelope.message import UnreadableMessage
from ordersaga.runtime.errors import AlreadyReceived, Conflict, ErrorKind, TooManyLocks, Unavailable, classify, describe
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
        psycopg.errors.UniqueViolation(),
        psycopg.errors.DivisionByZero(),
        ConnectionResetError("the card processor hung up"),
    ],
)
def test_a_reaction_that_fails_blames_its_message(error: Exception) -> None:
    assert classify(error) is ErrorKind.FAILED


@pytest.mark.parametrize(
    "error",
    [
        psycopg.errors.OutOfMemory(),
        psycopg.errors.ConfigurationLimitExceeded(),
        psycopg.errors.ProgramLimitExceeded(),
        psycopg.errors.StatementTooComplex(),
        psycopg.errors.QueryCanceled(),
        psycopg.errors.IdleInTransactionSessionTimeout(),
        TooManyLocks(),
        MemoryError(),
    ],
)
def test_an_error_whose_reason_may_be_the_size_of_the_batch_is_of_a_kind_of_its_own(error: Exception) -> None:
    assert classify(error) is ErrorKind.TOO_LARGE


def test_a_lock_of_another_session_is_of_a_kind_of_its_own() -> None:
    assert classify(psycopg.errors.LockNotAvailable()) is ErrorKind.LOCKED


@pytest.mark.parametrize(
    "error",
    [
        UnreadableMessage("header ce-id is missing"),
        psycopg.errors.UntranslatableCharacter(),
        psycopg.errors.NumericValueOutOfRange(),
        psycopg.DataError("text cannot contain NUL"),
    ],
)
def test_what_can_never_be_stored_needs_a_person(error: Exception) -> None:
    assert classify(error) is ErrorKind.INVALID


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


def raised_in(path: str, module: str) -> str:
    """The place of an error that the function `count` of this module raised."""
    namespace: dict[str, Any] = {"__name__": module}
    exec(compile("def count(): raise ValueError('no')", path, "exec"), namespace)  # noqa: S102 - a deploy
    try:
        namespace["count"]()
    except ValueError as error:
        return describe(error).place
    raise AssertionError


@pytest.mark.parametrize(
    ("module", "before", "after", "place"),
    [
        ("till.reactions", "/app/src/till/reactions.py", "/srv/releases/42/till/reactions.py", "till/reactions.py"),
        ("books", "/srv/releases/41/books.py", "/srv/releases/42/books.py", "books.py"),
        ("__main__", "/srv/releases/41/books.py", "C:/books.py", "books.py"),
        ("uuid", "/usr/lib/python3.11/uuid.py", "/opt/python-3.12.4/lib/python3.12/uuid.py", "uuid.py"),
        (
            "psycopg.cursor",
            "/app/.venv/lib/python3.11/site-packages/psycopg/cursor.py",
            "/app/env/lib64/python3.12/site-packages/psycopg/cursor.py",
            "psycopg/cursor.py",
        ),
    ],
)
def test_the_place_of_a_failure_is_the_same_wherever_a_deploy_installs(
    module: str, before: str, after: str, place: str
) -> None:
    assert raised_in(before, module) == raised_in(after, module) == f"{place}:1 count"


def test_a_worker_goes_on_when_others_have_all_locks_or_the_machine_is_busy_and_ends_at_a_fault_of_its_own() -> None:
    assert continues_after(psycopg.errors.OutOfMemory())
    assert continues_after(psycopg.errors.IdleInTransactionSessionTimeout())
    assert continues_after(psycopg.errors.QueryCanceled())
    assert continues_after(psycopg.OperationalError("the connection is lost"))
    assert not continues_after(psycopg.errors.UndefinedTable())
    assert not continues_after(KeyError("position"))
