"""What a unit of work receives, records, announces and remembers is kept together or not at all."""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from psycopg.errors import LockNotAvailable

from ordersaga.envelope.message import Cause, Message
from ordersaga.runtime.errors import AlreadyReceived, Conflict, KeyTaken
from ordersaga.store.flush import StoredAnswer
from ordersaga.store.transaction import Transaction
from tests.support.counting import Counter, announcements, closing
from tests.support.databases import Database, Databases
from tests.support.wait import until
from tests.support.workers import ROOT, counted

TABLES = ("stored_events", "outbox", "inbox", "idempotency_keys", "deadlines")

COUNT_UNTIL_KILLED = """
import sys
from uuid import uuid4
import psycopg
from tests.library.test_transaction import count_one, counted_elsewhere, remembered, transaction_on

connection = psycopg.connect(sys.argv[1], autocommit=True)
while True:
    with connection.transaction():
        transaction = transaction_on(connection)
        transaction.receive(counted_elsewhere())
        count_one(transaction, uuid4())
        transaction.store_answer(remembered(str(uuid4())))
        transaction.flush()
        if sys.argv[2] == "before commit":
            print("flushed", flush=True)
            sys.stdin.read()
    print("committed", flush=True)
"""


def transaction_on(connection) -> Transaction:  # type: ignore[no-untyped-def]
    return Transaction(connection, announcements, Cause(uuid4(), actor="alice"))


def count_one(transaction: Transaction, id_: UUID) -> None:
    """Two events, of which the first opens the counter and the second is announced, and a deadline."""
    counter = transaction.find(Counter, id_) or Counter(id=id_)
    counter.keep(1)
    transaction.save(counter)
    transaction.set_deadline(closing(id_, timedelta(minutes=1)))


def counted_elsewhere(message_id: UUID | None = None) -> Message:
    message = counted(uuid4(), 1)
    return replace(message, id=message_id or message.id)


def remembered(key: str) -> StoredAnswer:
    return StoredAnswer("alice", key, b"hash", 202, {}, "{}")


@pytest.fixture
def store(database: Databases) -> Database:
    return database()


@pytest.fixture
def counter(store: Database) -> UUID:
    id_ = uuid4()
    with store.connect() as connection:
        transaction = transaction_on(connection)
        count_one(transaction, id_)
        transaction.flush()
    return id_


def counts(store: Database) -> dict[str, int]:
    return {table: store.rows(f"select count(*) from {table}")[0][0] for table in TABLES}  # noqa: S608


def run_until_killed(store: Database, where: str, seconds: float = 0) -> str:
    """What the killed process had said."""
    command = [sys.executable, "-c", COUNT_UNTIL_KILLED, store.url, where]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout
        said = process.stdout.readline()
        time.sleep(seconds)
        os.kill(process.pid, signal.SIGKILL)
        said += process.stdout.read()
    until(lambda: not store.rows("select 1 from pg_stat_activity where usename = %s", (store.role,)))
    return said


def test_a_process_killed_between_flush_and_commit_leaves_nothing(store: Database) -> None:
    before = counts(store)
    assert run_until_killed(store, "before commit") == "flushed\n"
    assert counts(store) == before


def test_a_process_killed_at_any_moment_leaves_whole_units_alone(store: Database) -> None:
    before = counts(store)
    chance = random.Random(7)
    committed = sum(
        run_until_killed(store, "any moment", chance.uniform(0, 0.05)).count("committed\n") for _ in range(6)
    )
    new = {table: count - before[table] for table, count in counts(store).items()}
    assert new.pop("stored_events") == 2 * new["outbox"]
    assert len(set(new.values())) == 1, new
    # The last commit of each killed process may not have been heard of.
    assert committed <= new["outbox"] <= committed + 6


def test_of_two_writers_of_one_version_one_is_kept_and_the_other_hears_of_it(store: Database, counter: UUID) -> None:
    with store.connect() as first, store.connect() as second:
        one, other = transaction_on(first), transaction_on(second)
        for transaction in (one, other):
            found = transaction.get(Counter, counter)
            found.keep(2)
            transaction.save(found)
        one.flush()
        before = counts(store)
        other.receive(counted_elsewhere())
        other.store_answer(remembered("key"))
        with pytest.raises(Conflict):
            other.flush()
    assert counts(store) == before


def test_a_message_or_a_key_that_came_before_takes_everything_with_it(store: Database) -> None:
    message_id = uuid4()
    with store.connect() as connection:
        first = transaction_on(connection)
        first.receive(counted_elsewhere(message_id))
        first.store_answer(remembered("key"))
        first.flush()
        before = counts(store)
        for again, error in (("receive", AlreadyReceived), ("remember", KeyTaken)):
            transaction = transaction_on(connection)
            count_one(transaction, uuid4())
            if again == "receive":
                transaction.receive(counted_elsewhere(message_id))
            else:
                transaction.store_answer(remembered("key"))
            with pytest.raises(error):
                transaction.flush()
    assert counts(store) == before


def test_writers_do_not_wait_for_one_another(store: Database) -> None:
    """No table is locked: a unit that stays open holds up no other, and nobody is notified."""
    with store.connect() as open_, store.connect() as other, open_.transaction():
        stays_open = transaction_on(open_)
        count_one(stays_open, uuid4())
        stays_open.flush()
        other.execute("set lock_timeout = '100ms'")
        transaction = transaction_on(other)
        count_one(transaction, uuid4())
        transaction.flush()
        modes = {row[0] for row in store.rows("select mode from pg_locks where relation = 'stored_events'::regclass")}
        assert modes <= {"RowExclusiveLock", "AccessShareLock"}


def test_aggregates_that_many_meet_on_are_locked_until_the_end(store: Database) -> None:
    met = uuid4()
    with store.connect() as holder, store.connect() as other:
        other.execute("set lock_timeout = '100ms'")
        with holder.transaction():
            transaction_on(holder).lock([met, uuid4()])
            with pytest.raises(LockNotAvailable):
                transaction_on(other).lock([met])
        transaction_on(other).lock([met])
