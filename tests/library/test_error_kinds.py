"""What becomes of messages by the kind of their error: locked, too large, too slow, data that Postgres cannot take."""

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import count
from threading import Event
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from ordersaga.consumer.deadlines import Deadlines
from ordersaga.consumer.receiver import Receiver
from ordersaga.inbox.outside import OutsideSteps
from ordersaga.inbox.reactions import Reactions, no_locks
from ordersaga.inbox.reactor import Reactor
from ordersaga.parked.retries import Retries
from ordersaga.runtime.errors import ErrorKind, Unavailable, classify
from ordersaga.runtime.sessions import WORKER, SessionLimits, connect
from ordersaga.store.transaction import Transaction, lock_key
from tests.support.counting import GROUP, Counted, announcements
from tests.support.databases import Database, Databases
from tests.support.parking import delivery
from tests.support.wait import until
from tests.support.workers import counted

React = Callable[[Counted, Transaction], None]
Locks = Callable[[Any, Any], Iterable[UUID]]
IMPATIENT = replace(WORKER, lock=0.2)
SHORT = replace(WORKER, idle_in_transaction=0.5)
ACCOUNTS = """
create table accounts (id uuid primary key, total int not null, name varchar(3));
grant all on accounts to counting
"""
COUNT = "insert into accounts (id, total) values (%s, %s) on conflict (id) do update set total = excluded.total"
numbers = count(1)


@pytest.fixture(scope="module")
def database(databases: Databases) -> Database:
    database = databases()
    with psycopg.connect(database.owner_url) as owner:
        owner.execute(ACCOUNTS)
    return database


def keep(message: Counted, transaction: Transaction) -> None:
    transaction.connection.execute(COUNT, (message.counter_id, message.number))


def itself(message: Counted, _: Transaction) -> list[UUID]:
    return [message.counter_id]


def some_ids(number: int) -> list[UUID]:
    first = random.getrandbits(120)
    return [UUID(int=each) for each in range(first, first + number)]


class Group:
    """Messages to different keys, received as a worker does, with a new session after each that was lost."""

    def __init__(
        self, database: Database, react: React = keep, locks: Locks = no_locks, limits: SessionLimits = IMPATIENT
    ) -> None:
        self.database = database
        self.limits = limits
        reactions = Reactions()
        reactions.to(Counted, locks=locks)(react)
        self.handler = Reactor(reactions, announcements)
        self.receiver = Receiver(GROUP, self.handler)

    def receive(self, counters: list[UUID], sessions: int = 1) -> None:
        """Raises the error of the last session."""
        deliveries = [delivery(counted(counter, next(numbers))) for counter in counters]
        run = self.receiver.read(deliveries)
        for _ in range(sessions - 1):
            with suppress(Unavailable, psycopg.OperationalError), self.connected() as connection:
                self.receiver.receive(connection, run)
                return
        with self.connected() as connection:
            self.receiver.receive(connection, run)

    @contextmanager
    def connected(self) -> Iterator[psycopg.Connection[Any]]:
        with connect(self.database.url, "worker", self.limits) as connection:
            yield connection

    def received(self, counters: list[UUID]) -> int:
        query = "select count(*) from accounts where id = any(%s)"
        return int(self.database.rows(query, (counters,))[0][0])

    def parked(self, counters: list[UUID]) -> list[tuple[Any, ...]]:
        """Key, state, error and message of those that are parked."""
        query = "select key, state, error, message from parked_messages where key = any(%s)"
        return self.database.rows(query, ([str(counter) for counter in counters],))


def hold_aggregate(holder: psycopg.Connection[Any], counter: UUID) -> None:
    holder.execute("select pg_advisory_xact_lock(%s)", (lock_key(counter),))


def hold_row(holder: psycopg.Connection[Any], counter: UUID) -> None:
    holder.execute(COUNT, (counter, 0))


@pytest.mark.parametrize(("hold", "locks"), [(hold_aggregate, itself), (hold_row, no_locks)], ids=["aggregate", "row"])
def test_a_lock_that_cannot_be_had_in_time_parks_its_message_and_no_other(
    database: Database, hold: Callable[[psycopg.Connection[Any], UUID], None], locks: Locks
) -> None:
    group, counters = Group(database, locks=locks), [uuid4() for _ in range(20)]
    with database.connect() as holder, holder.transaction(force_rollback=True):
        hold(holder, counters[7])
        group.receive(counters)
        assert group.received(counters) == 19
        [(key, state, error, message)] = group.parked(counters)
    assert (key, state, error) == (str(counters[7]), "retrying", "LockNotAvailable")
    assert "Another session holds a lock that this message needs" in message


def test_a_locked_table_holds_the_queue_parks_nothing_and_is_named(database: Database) -> None:
    group, counters = Group(database), [uuid4() for _ in range(5)]
    with psycopg.connect(database.owner_url) as person:
        person.execute("lock table accounts in exclusive mode")
        with pytest.raises(Unavailable, match=rf"table accounts is locked by process {person.info.backend_pid}"):
            group.receive(counters)
    assert group.parked(counters) == []
    group.receive(counters)
    assert group.received(counters) == 5


def test_three_hundred_messages_of_a_hundred_locks_are_taken_in_transactions_of_a_thousand(database: Database) -> None:
    taken: list[int] = []

    def count_locks(message: Counted, transaction: Transaction) -> None:
        query = "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"
        taken.extend(number for (number,) in transaction.connection.execute(query))
        keep(message, transaction)

    counters = [uuid4() for _ in range(300)]
    needed = {counter: some_ids(100) for counter in counters}
    group = Group(database, count_locks, lambda message, _: needed[message.counter_id])
    group.receive(counters)
    assert (group.received(counters), group.parked(counters)) == (300, [])
    assert max(taken) <= 1000


def test_a_message_that_needs_more_locks_than_the_server_has_is_parked_with_the_setting_named(
    database: Database,
) -> None:
    counters = [uuid4() for _ in range(4)]
    needed = {counter: some_ids(60_000 if counter == counters[2] else 1) for counter in counters}
    group = Group(database, locks=lambda message, _: needed[message.counter_id])
    group.receive(counters)
    assert group.received(counters) == 3
    [(key, state, error, message)] = group.parked(counters)
    assert (key, state, error) == (str(counters[2]), "retrying", "OutOfMemory")
    assert "max_locks_per_transaction" in message


def outlast(database: Database, transaction: Transaction) -> None:
    """Be busy until the server has ended the session."""
    session = [transaction.connection.info.backend_pid]
    until(lambda: not database.rows("select from pg_stat_activity where pid = %s", session))


def think(database: Database, slow: UUID) -> React:
    def react(message: Counted, transaction: Transaction) -> None:
        keep(message, transaction)
        if message.counter_id == slow:
            outlast(database, transaction)

    return react


@pytest.mark.parametrize("place", [0, 2])
def test_a_reaction_that_thinks_for_longer_than_a_transaction_may_is_parked_with_the_setting_named(
    database: Database, place: int
) -> None:
    counters = [uuid4() for _ in range(4)]
    group = Group(database, think(database, slow=counters[place]), limits=SHORT)
    group.receive(counters, sessions=5)
    assert group.received(counters) == 3
    [(key, state, error, message)] = group.parked(counters)
    assert (key, state, error) == (str(counters[place]), "retrying", "IdleInTransactionSessionTimeout")
    assert "IDLE_IN_TRANSACTION_TIMEOUT_SECONDS" in message


def test_an_attempt_that_ends_its_session_counts(database: Database) -> None:
    counter = uuid4()
    group = Group(database, think(database, slow=counter), limits=SHORT)
    database.rows("delete from parked_messages returning 1")
    group.receive([counter], sessions=2)
    database.rows("update parked_messages set next_attempt_at = now() where key = %s returning 1", (str(counter),))
    retries = Retries(group.handler, OutsideSteps(Reactions(), announcements, None, database.url, Event()))
    with group.connected() as connection, pytest.raises(Unavailable):
        retries.step(connection)
    with group.connected() as connection:
        retries.step(connection)
    query = "select attempts, state, error from parked_messages where key = %s"
    assert database.rows(query, (str(counter),)) == [(2, "retrying", "IdleInTransactionSessionTimeout")]


def test_a_deadline_whose_reaction_ends_its_session_is_postponed_and_the_others_fire(database: Database) -> None:
    slow, other = uuid4(), uuid4()
    reactions = Reactions()

    @reactions.to_deadline("closing")
    def when_closing_keep_it(counter: UUID, transaction: Transaction) -> None:
        keep(Counted(counter_id=counter, number=1), transaction)
        if counter == slow:
            outlast(database, transaction)

    due = "insert into deadlines values ('closing', %s, now() - interval '1 s', gen_random_uuid(), null, '', '')"
    deadlines = Deadlines(reactions, announcements)
    group = Group(database, limits=SHORT)
    with database.connect() as connection:
        connection.cursor().executemany(due, [(slow,), (other,)])
    for _ in range(4):
        with suppress(Unavailable), group.connected() as connection:
            deadlines.step(connection)
    assert database.rows("select aggregate_id, due_at > now() from deadlines") == [(slow, True)]
    assert group.received([other]) == 1


CANNOT_BE = {
    "NUL in a text": ("select %s::text", "a\0b"),
    "NUL in JSON": ("select %s::jsonb", r'"\u0000"'),
    "no JSON": ("select %s::jsonb", "{"),
    "no UTF-8": ("select %s::text", "\ud800"),
    "no timestamp": ("select %s::timestamptz", "9999999-01-01"),
    "no integer": ("select %s::int", 2**40),
    "too long": ("insert into accounts (id, total, name) values (gen_random_uuid(), 0, %s)", "long"),
}


@pytest.mark.parametrize("statement", CANNOT_BE.values(), ids=CANNOT_BE)
def test_data_that_postgres_never_takes_is_dead_at_once(database: Database, statement: tuple[str, Any]) -> None:
    counters = [uuid4() for _ in range(2)]

    def react(message: Counted, transaction: Transaction) -> None:
        keep(message, transaction)
        if message.counter_id == counters[0]:
            transaction.connection.execute(*statement[:1], statement[1:])

    group = Group(database, react)
    group.receive(counters)
    [(key, state, _, _)] = group.parked(counters)
    assert (group.received(counters), key, state) == (1, str(counters[0]), "dead")


def test_a_division_by_zero_may_heal_so_it_is_tried_again(database: Database) -> None:
    def react(message: Counted, transaction: Transaction) -> None:
        transaction.connection.execute("select 1 / (select count(*) from accounts where false)")

    group, counter = Group(database, react), uuid4()
    group.receive([counter])
    assert [state for _, state, *_ in group.parked([counter])] == ["retrying"]
    assert classify(psycopg.errors.DivisionByZero()) is ErrorKind.FAILED
