"""What the workers of a group promise when they share its queues: balance, rest, order per key, nothing parked."""

import math
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from uuid import UUID, uuid4

import pytest

from ordersaga.broker.topology import QUEUE_COUNTS
from ordersaga.consumer.intake import Intake
from ordersaga.envelope.message import Message, partition_of
from tests.support.counting import GROUP, Asked, Counted
from tests.support.wait import until
from tests.support.workers import Counting, Process, counted

pytestmark = pytest.mark.timeout(300)
"""Ten processes are started one after the other."""

HELD = "ordersaga_held_queues"
RELEASED = "ordersaga_queues_released_total"
PARKED = "ordersaga_messages_parked_total"
REDELIVERED = "ordersaga_messages_redelivered_total"


def counters_of_all_partitions(each: int) -> list[UUID]:
    """So many counters of each of the 16 partitions."""
    found: dict[int, list[UUID]] = {}
    while min(len(found.get(partition, [])) for partition in range(16)) < each:
        counter = uuid4()
        of_partition = found.setdefault(partition_of(str(counter)), [])
        if len(of_partition) < each:
            of_partition.append(counter)
    return [counter for of_partition in found.values() for counter in of_partition]


def declared(counting: Counting, queues: int) -> None:
    counting.broker.clean()
    counting.queues = queues
    counting.broker.declare(counting.group)


@contextmanager
def traffic(
    counting: Counting, counters: list[UUID], messages: int | None = None, pause: float = 0
) -> Iterator[dict[UUID, int]]:
    """One counter after another is sent its next number, until the block ends or there are so many messages.

    `pause` is in seconds, before every message; without one, most of the machine goes into more messages.
    """
    sent = dict.fromkeys(counters, 0)
    enough = threading.Event()

    def plan() -> Iterator[Message]:
        for number in count(1):
            for counter in random.sample(counters, len(counters)):
                if enough.wait(pause) or (messages is not None and sum(sent.values()) >= messages):
                    return
                sent[counter] = number
                yield counted(counter, number, random.choice([Counted, Counted, Counted, Asked]))

    sender = threading.Thread(target=lambda: counting.publish(plan()))
    sender.start()
    try:
        yield sent
        if messages is not None:
            sender.join()
    finally:
        enough.set()
        sender.join()


def all_took_effect_once_and_in_order(counting: Counting, sent: dict[UUID, int]) -> bool:
    until(lambda: counting.in_inbox() == sum(sent.values()), seconds=60)
    until(lambda: not counting.parked(), seconds=60)
    return all(counting.numbers(counter) == list(range(1, last + 1)) for counter, last in sent.items())


def started(counting: Counting) -> Process:
    process = counting.start()
    process.wait_until_ready()
    return process


def shares(processes: list[Process]) -> list[float]:
    return sorted(process.metric(HELD) for process in processes)


def wait_for_equal_shares(processes: list[Process], queues: int) -> None:
    until(lambda: shares(processes) == [queues / len(processes)] * len(processes), seconds=40)


def released(processes: list[Process]) -> list[float]:
    return [process.metric(RELEASED) for process in processes]


def wait_for_more(counting: Counting, messages: int, of: float = math.inf) -> None:
    enough = min(counting.in_inbox() + messages, of)
    until(lambda: counting.in_inbox() >= enough, seconds=60)


def test_workers_that_come_and_go_share_the_queues_and_then_keep_still(counting: Counting) -> None:
    check_that_workers_share_queues(counting, 4, workers=2, pause=0.003)


def test_queues_given_back_under_load_park_nothing_and_repeat_next_to_nothing(counting: Counting) -> None:
    check_that_queues_change_hands(counting, rounds=1, pause=0.002)


def test_order_per_key_is_kept_by_four_workers_that_share_queues_while_they_are_killed(counting: Counting) -> None:
    check_that_order_is_kept(counting, 800)


def check_that_workers_share_queues(counting: Counting, queues: int, workers: int, pause: float) -> None:
    """Workers double in number up to so many; then all but one are killed, and the last but one is told to stop."""
    declared(counting, queues)
    counters = counters_of_all_partitions(1)
    with traffic(counting, counters, pause=pause) as sent:
        running: list[Process] = []
        while len(running) < workers:
            running += [started(counting) for _ in range(len(running) or 1)]
            wait_for_equal_shares(running, queues)
        before = released(running)
        wait_for_more(counting, 500)
        assert released(running) == before
        while len(running) > 2:
            running.pop(0).kill()
        wait_for_equal_shares(running, queues)
        assert running.pop(0).terminate() == 0
        wait_for_equal_shares(running, queues)
    assert all_took_effect_once_and_in_order(counting, sent)


def check_that_queues_change_hands(counting: Counting, rounds: int, pause: float) -> None:
    """Workers come and are told to stop, again and again, so that queues change hands all the time."""
    declared(counting, 8)
    counters = counters_of_all_partitions(4)
    redelivered = 0.0
    with traffic(counting, counters, pause=pause) as sent:
        workers = [started(counting), started(counting)]
        for _ in range(rounds):
            workers.append(started(counting))
            until(lambda: workers[-1].metric(HELD) >= 2, seconds=40)
            oldest = workers.pop(0)
            assert oldest.metric(PARKED) == 0
            redelivered += oldest.metric(REDELIVERED)
            assert oldest.terminate() == 0
    assert all_took_effect_once_and_in_order(counting, sent)
    assert [worker.metric(PARKED) for worker in workers] == [0, 0]
    redelivered += sum(worker.metric(REDELIVERED) for worker in workers)
    assert redelivered < sum(sent.values()) / 50


def check_that_order_is_kept(counting: Counting, messages: int) -> None:
    """A worker is killed and replaced after every few hundred messages."""
    declared(counting, 8)
    counters = counters_of_all_partitions(20)
    workers = [counting.start() for _ in range(4)]
    until(lambda: not any(worker.problems() for worker in workers), seconds=90)
    with traffic(counting, counters, messages) as sent:
        wait_for_more(counting, 100, of=messages)
        while sum(sent.values()) < messages:
            wait_for_more(counting, random.randrange(250, 500), of=messages)
            workers.pop(random.randrange(4)).kill()
            workers.append(counting.start())
    assert all_took_effect_once_and_in_order(counting, sent)
    assert counting.database.rows("select count(*), count(distinct message_id) from outbox") == [(messages, messages)]


@pytest.mark.parametrize("queues", QUEUE_COUNTS)
def test_every_number_of_queues_delivers_what_is_published(counting: Counting, queues: int) -> None:
    declared(counting, queues)
    counters = counters_of_all_partitions(2)
    counting.start()
    with traffic(counting, counters, 160) as sent:
        pass
    assert all_took_effect_once_and_in_order(counting, sent)


def pumped(intake: Intake, condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        intake.pump(0.02)


def numbers_in(intake: Intake) -> list[int]:
    return [int(delivery.headers["ce-sequence"]) for delivery in intake.arrived]


def test_what_a_closing_intake_has_in_hand_comes_to_the_next_one_in_its_place(counting: Counting) -> None:
    """With 1000 in hand at most, the later messages of the key are still in the queue."""
    declared(counting, 1)
    counter = uuid4()
    counting.publish(counted(counter, number) for number in range(1, 1101))
    first, second = Intake(GROUP, counting.amqp_url), Intake(GROUP, counting.amqp_url)
    try:
        pumped(first, lambda: len(first.arrived) == 1000)
        first.close()
        pumped(second, lambda: len(second.arrived) == 1000)
        assert numbers_in(second) == list(range(1, 1001))
    finally:
        second.close()


def test_a_queue_given_back_full_goes_on_where_it_was_with_nothing_delivered_again(counting: Counting) -> None:
    declared(counting, 1)
    counter = uuid4()
    counting.publish(counted(counter, number) for number in range(1, 1101))
    first, second = Intake(GROUP, counting.amqp_url), Intake(GROUP, counting.amqp_url)
    try:
        pumped(first, lambda: len(first.arrived) == 1000)
        first.drain(first.queues[0])
        first.acknowledge(first.take(999))
        assert first.release_drained() == []
        first.acknowledge(first.take(1))
        assert first.release_drained() == second.queues
        pumped(second, lambda: len(second.arrived) == 100)
        assert numbers_in(second) == list(range(1001, 1101))
        assert {delivery.delivered_before for delivery in second.arrived} == {0}
    finally:
        first.close()
        second.close()
