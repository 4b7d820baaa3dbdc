"""What a unit of work promises before its flush: locks, deadlines, what is parked, and whose cause its rows have."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg import Connection

from ordersaga.envelope.message import Cause
from ordersaga.runtime.errors import Conflict, ParkedMeanwhile
from ordersaga.store.deadline import Deadline
from ordersaga.store.lazy_transaction import LazyTransaction
from ordersaga.store.transaction import Transaction, decide
from tests.support.counting import Asked, Counted, Counter, announcements
from tests.support.databases import Database, Databases
from tests.support.parking import receive
from tests.support.workers import counted

HELD = "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"


@pytest.fixture
def database(databases: Databases) -> Database:
    return databases()


@pytest.fixture
def connection(database: Database) -> Iterator[Connection[Any]]:
    with database.connect() as connection:
        yield connection


def transaction_on(connection: Connection[Any], lazy: LazyTransaction | None = None) -> Transaction:
    return Transaction(connection, announcements, Cause(uuid4(), actor="ada"), lazy)


def opened(connection: Connection[Any], *numbers: int) -> UUID:
    counter = Counter(id=uuid4())
    for number in numbers:
        counter.keep(number)
    decide(connection, announcements, Cause(uuid4()), lambda transaction: transaction.save(counter))
    return counter.id


def count(connection: Connection[Any], id_: UUID, number: int) -> None:
    def keep(transaction: Transaction) -> None:
        counter = transaction.get(Counter, id_)
        counter.keep(number)
        transaction.save(counter)

    decide(connection, announcements, Cause(uuid4()), keep)


def park(connection: Connection[Any], counter: UUID) -> None:
    """A message of another key than any aggregate: what it holds has no meaning."""
    receive(connection, counted(counter, 1), body=b"{}")


def test_sql_of_a_reaction_runs_behind_the_locks_that_were_left_for_later(connection: Connection[Any]) -> None:
    first, second = opened(connection, 1), opened(connection, 1)
    with LazyTransaction(connection) as lazy:
        transaction = transaction_on(connection, lazy)
        transaction.load([first])
        transaction.lock_late([first, second])
        assert transaction.connection.execute(HELD).fetchone() == (2,)


def test_sql_of_a_reaction_does_not_run_when_what_it_read_has_changed(
    connection: Connection[Any], database: Database
) -> None:
    id_ = opened(connection, 1)
    with database.connect() as other, LazyTransaction(connection) as lazy:
        transaction = transaction_on(connection, lazy)
        transaction.get(Counter, id_)
        transaction.lock_late([id_])
        count(other, id_, 2)
        with pytest.raises(Conflict):
            _ = transaction.connection


def test_an_aggregate_without_new_events_hides_none_of_those_saved_with_it(connection: Connection[Any]) -> None:
    unchanged, changed = (Counter(id=uuid4()) for _ in range(2))
    unchanged.collect_events()
    decide(connection, announcements, Cause(uuid4()), lambda transaction: transaction.save(unchanged, changed))
    assert transaction_on(connection).find(Counter, changed.id)
    assert not transaction_on(connection).find(Counter, unchanged.id)


def test_a_unit_of_work_announces_no_contract_of_another_service(connection: Connection[Any]) -> None:
    with pytest.raises(ValueError, match="test"):
        transaction_on(connection).announce(Counted(counter_id=uuid4(), number=1))


def test_what_follows_a_received_message_has_it_as_its_cause(connection: Connection[Any]) -> None:
    message = counted(uuid4(), 1)
    transaction = transaction_on(connection)
    transaction.receive(message)
    assert (transaction.message, transaction.cause) == (message, message.caused_by_this())


def test_a_message_whose_key_is_parked_meanwhile_is_not_received(connection: Connection[Any]) -> None:
    park(connection, counter := uuid4())
    transaction = transaction_on(connection)
    transaction.receive(counted(counter, 2))
    with pytest.raises(ParkedMeanwhile):
        transaction.flush()
    transaction = transaction_on(connection)
    transaction.receive(counted(counter, 3), is_parked=True)
    transaction.flush()


def test_a_cleared_deadline_is_gone_whether_or_not_it_was_written_and_no_other(connection: Connection[Any]) -> None:
    id_, other, hour = uuid4(), uuid4(), timedelta(hours=1)

    def set_both(transaction: Transaction) -> None:
        for name, aggregate in (("pay", id_), ("ship", id_), ("pay", other)):
            transaction.set_deadline(Deadline(name, aggregate, hour))

    def set_and_clear(transaction: Transaction) -> None:
        set_both(transaction)
        transaction.clear_deadline("pay", id_)

    for command in (set_and_clear, set_both, lambda transaction: transaction.clear_deadline("pay", id_)):
        decide(connection, announcements, Cause(uuid4()), command)
        left = connection.execute("select name, aggregate_id from deadlines").fetchall()
        assert (("pay", id_) in left) is (command is set_both)
        assert {("ship", id_), ("pay", other)} <= set(left)


def test_until_an_outside_step_says_otherwise_its_resource_may_have_been_called(connection: Connection[Any]) -> None:
    assert transaction_on(connection).may_have_called


def test_a_unit_of_work_asks_the_database_what_is_parked(connection: Connection[Any]) -> None:
    park(connection, counter := uuid4())
    transaction = transaction_on(connection)
    transaction.follow(counted(counter, 2))
    assert transaction.is_parked(Counted, str(counter))
    assert not transaction.is_parked(Asked, str(counter))
    assert not transaction.is_parked(Counted, str(uuid4()))


def test_an_outside_step_whose_key_was_free_sees_as_parked_what_waits_in_hand_behind_its_message_alone(
    connection: Connection[Any],
) -> None:
    park(connection, counter := uuid4())
    transaction = transaction_on(connection)
    transaction.follow(counted(other := uuid4(), 2))
    transaction.is_key_free, transaction.followers = True, frozenset(["test.asked.v2"])
    assert transaction.is_parked(Asked, str(other))
    assert not transaction.is_parked(Counted, str(other))
    assert transaction.is_parked(Counted, str(counter))
    park(connection, other)
    assert not transaction.is_parked(Counted, str(other))
