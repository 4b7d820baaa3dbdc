"""What a unit of work receives, records, announces and remembers is kept together or not at all."""

import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from psycopg.errors import LockNotAvailable

from contracts.payments import PaymentCaptured
from devstack.state import ROOT
from order_service.announcements import announcements
from order_service.commands import Wanted, place_order, put_product
from order_service.order import Order
from ordersaga.envelope.message import Cause, Message
from ordersaga.runtime.errors import AlreadyReceived, Conflict, KeyTaken
from ordersaga.store.flush import StoredAnswer
from ordersaga.store.transaction import Transaction
from tests.support.databases import Database, Databases
from tests.support.wait import until

TABLES = ("stored_events", "outbox", "inbox", "idempotency_keys", "deadlines")

PLACE_ORDERS_UNTIL_KILLED = """
import sys
from datetime import timedelta
from uuid import uuid4
import psycopg
from ordersaga.envelope.message import Cause
from order_service.commands import Wanted, place_order
from tests.library.test_transaction import captured, remembered, transaction_on

connection = psycopg.connect(sys.argv[1], autocommit=True)
while True:
    order_id = uuid4()
    with connection.transaction():
        transaction = transaction_on(connection)
        transaction.receive(captured(order_id))
        place_order(transaction, order_id, "alice", [Wanted("tea", 1)], "pm_card_visa", timedelta(minutes=1))
        transaction.store_answer(remembered(str(order_id)))
        transaction.flush()
        if sys.argv[2] == "before commit":
            print("flushed", flush=True)
            sys.stdin.read()
    print("committed", flush=True)
"""


def transaction_on(connection) -> Transaction:  # type: ignore[no-untyped-def]
    return Transaction(connection, announcements, Cause(uuid4(), actor="alice"))


def captured(order_id: UUID, message_id: UUID | None = None) -> Message:
    data = PaymentCaptured(order_id=order_id, charge_id="ch_1", amount=350, currency="EUR")
    return Message(
        message_id or uuid4(),
        data.NAME,
        "payment_service",
        str(order_id),
        1,
        datetime.now(UTC),
        bytes(32),
        Cause(uuid4()),
        data.model_dump_json(),
    )


def remembered(key: str) -> StoredAnswer:
    return StoredAnswer("alice", key, b"hash", 202, {}, "{}")


@pytest.fixture
def orders(database: Databases) -> Database:
    orders = database("order_service")
    with orders.connect() as connection:
        transaction = transaction_on(connection)
        put_product(transaction, "tea", "Tea", 350, "EUR")
        transaction.flush()
    return orders


def counts(orders: Database) -> dict[str, int]:
    return {table: orders.rows(f"select count(*) from {table}")[0][0] for table in TABLES}  # noqa: S608


def run_until_killed(orders: Database, where: str, seconds: float = 0) -> str:
    """What the killed process had said."""
    command = [sys.executable, "-c", PLACE_ORDERS_UNTIL_KILLED, orders.url, where]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout
        said = process.stdout.readline()
        time.sleep(seconds)
        os.kill(process.pid, signal.SIGKILL)
        said += process.stdout.read()
    until(lambda: not orders.rows("select 1 from pg_stat_activity where usename = %s", (orders.role,)))
    return said


def test_a_process_killed_between_flush_and_commit_leaves_nothing(orders: Database) -> None:
    before = counts(orders)
    assert run_until_killed(orders, "before commit") == "flushed\n"
    assert counts(orders) == before


def test_a_process_killed_at_any_moment_leaves_whole_units_alone(orders: Database) -> None:
    before = counts(orders)
    chance = random.Random(7)
    committed = sum(
        run_until_killed(orders, "any moment", chance.uniform(0, 0.05)).count("committed\n") for _ in range(6)
    )
    new = {table: count - before[table] for table, count in counts(orders).items()}
    assert len(set(new.values())) == 1, new
    # The last commit of each killed process may not have been heard of.
    assert committed <= new["stored_events"] <= committed + 6


def test_of_two_writers_of_one_version_one_is_kept_and_the_other_hears_of_it(orders: Database) -> None:
    order_id = uuid4()
    with orders.connect() as first, orders.connect() as second:
        placing = transaction_on(first)
        place_order(placing, order_id, "alice", [Wanted("tea", 1)], "pm_card_visa", timedelta(minutes=1))
        placing.flush()
        one, other = transaction_on(first), transaction_on(second)
        for transaction in (one, other):
            order = transaction.get(Order, order_id)
            order.cancel("changed_my_mind")
            transaction.save(order)
        one.flush()
        before = counts(orders)
        other.receive(captured(order_id))
        other.store_answer(remembered("key"))
        with pytest.raises(Conflict):
            other.flush()
    assert counts(orders) == before


def test_a_message_or_a_key_that_came_before_takes_everything_with_it(orders: Database) -> None:
    order_id, message_id = uuid4(), uuid4()
    with orders.connect() as connection:
        first = transaction_on(connection)
        first.receive(captured(order_id, message_id))
        first.store_answer(remembered("key"))
        first.flush()
        before = counts(orders)
        for again, error in (("receive", AlreadyReceived), ("remember", KeyTaken)):
            transaction = transaction_on(connection)
            place_order(transaction, uuid4(), "alice", [Wanted("tea", 1)], "pm_card_visa", timedelta(minutes=1))
            if again == "receive":
                transaction.receive(captured(order_id, message_id))
            else:
                transaction.store_answer(remembered("key"))
            with pytest.raises(error):
                transaction.flush()
    assert counts(orders) == before


def test_writers_do_not_wait_for_one_another(orders: Database) -> None:
    """No table is locked: a unit that stays open holds up no other, and nobody is notified."""
    with orders.connect() as open_, orders.connect() as other, open_.transaction():
        place_on = transaction_on(open_)
        place_order(place_on, uuid4(), "alice", [Wanted("tea", 1)], "pm_card_visa", timedelta(minutes=1))
        place_on.flush()
        other.execute("set lock_timeout = '100ms'")
        transaction = transaction_on(other)
        place_order(transaction, uuid4(), "bob", [Wanted("tea", 1)], "pm_card_visa", timedelta(minutes=1))
        transaction.flush()
        modes = {row[0] for row in orders.rows("select mode from pg_locks where relation = 'stored_events'::regclass")}
        assert modes <= {"RowExclusiveLock", "AccessShareLock"}


def test_aggregates_that_many_meet_on_are_locked_until_the_end(orders: Database) -> None:
    product = uuid4()
    with orders.connect() as holder, orders.connect() as other:
        other.execute("set lock_timeout = '100ms'")
        with holder.transaction():
            transaction_on(holder).lock([product, uuid4()])
            with pytest.raises(LockNotAvailable):
                transaction_on(other).lock([product])
        transaction_on(other).lock([product])
