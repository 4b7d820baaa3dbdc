"""What a consumer group promises: each message takes effect once and in order, whatever dies meanwhile."""

import random
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest

from ordersaga.envelope.message import Cause
from ordersaga.store.transaction import Transaction, decide
from tests.conftest import AnyServers
from tests.support.broker import TestBroker
from tests.support.counting import GROUP, Asked, Counter, announcements, closing
from tests.support.databases import Databases
from tests.support.wait import until
from tests.support.workers import Counting, counted

DUPLICATES = "ordersaga_messages_deduplicated_total"


@pytest.fixture
def counting(servers: AnyServers, database: Databases, broker: TestBroker, tmp_path: Path) -> Iterator[Counting]:
    with Counting(database(GROUP), broker, servers.amqp_url(GROUP), tmp_path) as counting:
        yield counting


def interleaved(counters: list[UUID], most: int) -> list[tuple[UUID, int]]:
    """Numbers 1 to `most` of every counter, each counter's in order, the counters mixed."""
    left = {counter: iter(range(1, most + 1)) for counter in counters}
    turns = random.sample(counters * most, len(counters) * most)
    return [(counter, next(left[counter])) for counter in turns]


def all_kept(counting: Counting, counters: list[UUID], most: int) -> bool:
    return all(len(counting.numbers(counter)) >= most for counter in counters)


def all_in_order(counting: Counting, counters: list[UUID], most: int) -> bool:
    """Each number once, none before its time."""
    return [counting.numbers(counter) for counter in counters] == [list(range(1, most + 1))] * len(counters)


def test_a_message_delivered_three_times_takes_effect_once(counting: Counting) -> None:
    counters = [uuid4() for _ in range(20)]
    messages = [counted(counter, number) for counter, number in interleaved(counters, 10)]
    process = counting.start()
    for _ in range(3):
        counting.publish(messages)
    process.wait_until_ready()
    until(lambda: process.metric(DUPLICATES) == 2 * len(messages))
    assert all_in_order(counting, counters, 10)
    assert counting.in_inbox() == len(messages)
    assert counting.database.rows("select count(*), count(distinct message_id) from outbox") == [(200, 200)]


def test_order_per_key_is_kept_by_two_consumers_of_which_one_is_killed(counting: Counting) -> None:
    counting.queues = 4
    counting.broker.declare(counting.group)
    counters = [uuid4() for _ in range(24)]
    first, _ = counting.start(), counting.start()
    plan = interleaved(counters, 40)
    sender = threading.Thread(target=lambda: counting.publish(counted(counter, number) for counter, number in plan))
    sender.start()
    until(lambda: counting.in_inbox() > 200)
    first.kill()
    counting.start()
    sender.join()
    until(lambda: counting.in_inbox() == len(plan))
    assert all_in_order(counting, counters, 40)
    until(lambda: not counting.parked())


def test_a_database_crash_amid_a_batch_loses_nothing_and_parks_nothing(counting: Counting, servers: AnyServers) -> None:
    counters = [uuid4() for _ in range(10)]
    counting.switches.set(counters[0], "slow:3")
    process = counting.start()
    process.wait_until_ready()
    counting.publish(counted(counter, number) for counter, number in interleaved(counters, 10))
    until(lambda: counting.switches.is_obeyed(counters[0]))
    servers.postgres.kill()
    counting.switches.clear(counters[0])
    try:
        until(lambda: any(problem.startswith("database is away") for problem in process.problems()))
        counting.publish(counted(counter, number) for counter in counters for number in range(11, 21))
    finally:
        servers.postgres.start()
    until(lambda: counting.in_inbox() == 200)
    process.wait_until_ready()
    assert all_in_order(counting, counters, 20)
    assert counting.parked() == []
    assert process.metric("ordersaga_messages_parked_total") == 0


def test_a_table_locked_for_longer_than_anybody_waits_ends_no_worker_and_parks_nothing(counting: Counting) -> None:
    counting.environment["LOCK_TIMEOUT_SECONDS"] = "0.1"
    with psycopg.connect(counting.database.owner_url) as stranger:
        stranger.execute("lock table inbox in access exclusive mode")
        process = counting.start()
        until(lambda: "database is away: LockNotAvailable" in str(process.problems()))
        stranger.rollback()
        process.wait_until_ready()
        stranger.execute("lock table inbox in access exclusive mode")
        counting.publish(counted(uuid4(), 1) for _ in range(20))
        until(lambda: "the table inbox is locked by process" in str(process.problems()))
    until(lambda: counting.in_inbox() == 20)
    assert process.popen.poll() is None
    assert counting.parked() == []


def test_a_broker_restart_between_commit_and_acknowledgement_repeats_nothing_and_parks_nothing(
    counting: Counting, servers: AnyServers
) -> None:
    counters = [uuid4() for _ in range(10)]
    counting.switches.set(counters[0], "slow:3")
    process = counting.start()
    process.wait_until_ready()
    counting.publish(counted(counter, number) for counter, number in interleaved(counters, 10))
    until(lambda: counting.switches.is_obeyed(counters[0]))
    servers.rabbitmq.stop()
    counting.switches.clear(counters[0])
    until(lambda: any(problem.startswith("broker is away") for problem in process.problems()))
    servers.rabbitmq.start()
    counting.publish(counted(counter, number) for counter in counters for number in range(11, 21))
    until(lambda: counting.in_inbox() == 200)
    assert process.metric(DUPLICATES) > 0
    assert all_in_order(counting, counters, 20)
    assert counting.parked() == []
    assert process.metric("ordersaga_messages_parked_total") == 0


def test_a_slow_outside_step_of_one_key_holds_up_no_other(counting: Counting) -> None:
    slow, *others = (uuid4() for _ in range(11))
    counting.switches.set(slow, "slow")
    process = counting.start()
    process.wait_until_ready()
    counting.publish([counted(slow, 1, Asked), counted(slow, 2), counted(slow, 3, Asked)])
    counting.publish(counted(counter, number, Asked) for counter, number in interleaved(others, 5))
    until(lambda: all_kept(counting, others, 5))
    assert counting.numbers(slow) == []
    counting.switches.clear(slow)
    until(lambda: all_kept(counting, [slow, *others], 3))
    assert counting.numbers(slow) == [1, 2, 3]
    assert [counting.numbers(counter) for counter in others] == [[1, 2, 3, 4, 5]] * 10


def test_messages_held_by_an_outside_step_come_again_after_a_crash(counting: Counting) -> None:
    slow, other = uuid4(), uuid4()
    counting.switches.set(slow, "slow")
    process = counting.start()
    counting.publish([counted(slow, 1, Asked), counted(slow, 2), counted(other, 1)])
    until(lambda: all_kept(counting, [other], 1))
    process.kill()
    counting.switches.clear(slow)
    counting.start()
    until(lambda: all_kept(counting, [slow], 2))
    assert (counting.numbers(slow), counting.numbers(other)) == ([1, 2], [1])


def test_a_deadline_fires_once_with_two_workers(counting: Counting) -> None:
    counters = [uuid4() for _ in range(60)]
    with counting.database.connect() as connection:
        decide(connection, announcements, Cause(uuid4()), lambda transaction: open_all(transaction, counters))
    counting.start()
    counting.start()
    until(lambda: all_kept(counting, counters, 1))
    assert [counting.numbers(counter) for counter in counters] == [[-1]] * 60
    assert counting.database.rows("select count(*) from deadlines") == [(0,)]
    actors = counting.database.rows("select distinct actor from stored_events where topic = 'counter.kept'")
    assert actors == [("deadline",)]


def open_all(transaction: Transaction, counters: list[UUID]) -> None:
    for counter in counters:
        transaction.save(Counter(id=counter))
        transaction.set_deadline(closing(counter, timedelta(milliseconds=random.randrange(1500))))


def test_a_worker_told_to_stop_ends_with_nothing_half_done(counting: Counting) -> None:
    counters = [uuid4() for _ in range(10)]
    process = counting.start()
    plan = interleaved(counters, 30)
    counting.publish(counted(counter, number) for counter, number in plan)
    until(lambda: counting.in_inbox() > 0)
    assert process.terminate() == 0
    counting.start()
    until(lambda: counting.in_inbox() == len(plan))
    assert all_in_order(counting, counters, 30)


def test_a_worker_waits_for_its_queues_to_be_declared_and_declared_again(counting: Counting) -> None:
    process, counter = counting.start(), uuid4()
    process.wait_until_ready()
    counting.broker.clean()
    until(lambda: any(problem.startswith("broker is away") for problem in process.problems()))
    counting.broker.declare(counting.group)
    counting.publish([counted(counter, 1)])
    until(lambda: counting.numbers(counter) == [1])
    process.wait_until_ready()
