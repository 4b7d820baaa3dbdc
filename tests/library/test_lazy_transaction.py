"""A transaction that begins when something needs it ends as one that began at once, and rings when it has announced."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from psycopg import Connection
from psycopg.pq import TransactionStatus

from ordersaga.store.lazy_transaction import LazyTransaction
from tests.support.databases import Databases


@pytest.fixture
def session(databases: Databases) -> Iterator[Connection[Any]]:
    with databases().connect() as connection:
        yield connection


def has_begun(session: Connection[Any]) -> bool:
    return session.info.transaction_status == TransactionStatus.INTRANS


def test_the_relay_is_rung_once_after_a_commit_that_announced_and_never_else(session: Connection[Any]) -> None:
    rings: list[TransactionStatus] = []

    def announce(work: str, announced: bool = True) -> None:
        with LazyTransaction(session, lambda: rings.append(session.info.transaction_status)) as lazy:
            lazy.begin()
            lazy.has_announced = lazy.has_announced or announced
            session.execute(work)

    announce("select 1", announced=False)
    with pytest.raises(Exception, match="division by zero"):
        announce("select 1 / 0")
    with session.transaction():
        announce("select 1")
    assert rings == []
    announce("select 1")
    assert rings == [TransactionStatus.IDLE]


def test_a_transaction_of_the_caller_is_left_to_the_caller(session: Connection[Any]) -> None:
    assert not LazyTransaction(session).is_callers
    with session.transaction():
        with LazyTransaction(session) as lazy:
            assert lazy.is_callers
            lazy.begin()
        assert has_begun(session)
    session.autocommit = False
    assert LazyTransaction(session).is_callers


def test_nothing_begins_before_it_is_needed_and_what_has_begun_ends_with_the_block(session: Connection[Any]) -> None:
    with LazyTransaction(session) as lazy:
        session.execute("select 1")
        assert not has_begun(session)
        lazy.begin_with("create temporary table kept ()")
        assert has_begun(session)
    session.execute("table kept")
    with LazyTransaction(session, force_rollback=True) as lazy:
        assert has_begun(session)
        lazy.begin_with("create temporary table dropped ()")
    assert session.execute("select to_regclass('dropped') is null").fetchone() == (True,)


def test_what_was_begun_is_rolled_back_after_an_error_and_a_callers_work_is_left_as_it_is(
    session: Connection[Any],
) -> None:
    def create(lazy: LazyTransaction, name: str, begin: str) -> None:
        statement = f"create temporary table {name} ()".encode()
        if begin == "with":
            lazy.begin_with(statement.decode())
        else:
            lazy.begin()
            session.execute(statement)

    def fail(name: str, begin: str) -> None:
        with suppress(ZeroDivisionError), LazyTransaction(session) as lazy:
            create(lazy, name, begin)
            raise ZeroDivisionError

    def exist(*names: str) -> list[bool]:
        return [session.execute("select to_regclass(%s) is not null", (name,)).fetchone() == (True,) for name in names]

    fail("one", "with")
    assert not has_begun(session)
    fail("two", "alone")
    assert exist("one", "two") == [False, False]
    with session.transaction():
        fail("three", "with")
        fail("four", "alone")
        assert exist("three", "four") == [True, True]
