"""What a worker holds of the broker: few bytes in memory, and acknowledgements that go together."""

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError

from ordersaga.consumer import intake as intakes
from ordersaga.consumer import source as sources
from ordersaga.consumer.intake import Intake
from ordersaga.consumer.receiver import MAX_BATCH, batched
from ordersaga.envelope.message import Message
from ordersaga.inbox.delivery import Delivery, Received, read
from tests.support.counting import GROUP, Counted
from tests.support.wait import until
from tests.support.workers import Counting, counted

SIZE = 200_000
MAX_HELD = 1_000_000
ONE_READ = 100 * 1024


@pytest.fixture
def intake(counting: Counting, monkeypatch: pytest.MonkeyPatch) -> Iterator[Intake]:
    monkeypatch.setattr(intakes, "MAX_HELD_BYTES", MAX_HELD)
    intake = Intake(GROUP, counting.amqp_url)
    yield intake
    intake.close()


def padded(number: int, counter: UUID, size: int = SIZE) -> Message:
    message = counted(counter, number)
    return replace(message, body=message.body.ljust(size))


def numbers(messages: Iterable[Delivery]) -> list[int]:
    return [int(message.headers["ce-sequence"]) for message in messages]


def held_bytes(intake: Intake) -> int:
    return sum(len(message.body) for message in intake.arrived)


def pump_until(intake: Intake, condition: Callable[[], bool]) -> None:
    def holds() -> bool:
        intake.pump(0.02)
        return condition()

    until(holds)


def test_a_worker_that_the_broker_does_not_count_as_a_consumer_for_some_time_connects_again(
    counting: Counting, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a node that has lost the other nodes of its cluster: the connection stays, and nothing comes."""
    monkeypatch.setattr(intakes, "UNCOUNTED_SECONDS", 0.2)
    until(lambda: intake.workers() == 1)
    # Nobody asks while the database is away: the first answer after that is not the end of the time.
    long_ago = time.monotonic() + 2 * intakes.UNCOUNTED_SECONDS
    until(lambda: time.monotonic() > long_ago)
    dead = next(source for source in intake._sources.values() if source.queue == intake._dead_letters)
    dead.channel.basic_cancel(dead._consumer)
    assert intake.workers() == 1

    def is_refused() -> bool:
        try:
            return intake.workers() == 0
        except AMQPError as error:
            return "has counted no worker" in str(error)

    until(is_refused)


def test_a_worker_reads_no_more_than_it_may_hold_and_goes_on_where_it_was(counting: Counting, intake: Intake) -> None:
    counter = uuid4()
    counting.publish(padded(number, counter) for number in range(1, 41))
    handled: list[Delivery] = []
    while len(handled) < 40:
        pump_until(intake, lambda: len(intake.arrived) > 0)
        for _ in range(20):
            intake.pump(0.001)
            intake.gather(MAX_BATCH)
        assert intake.workers() == 1
        assert held_bytes(intake) <= MAX_HELD + SIZE + ONE_READ
        taken = intake.take(MAX_BATCH, MAX_HELD)
        intake.acknowledge(taken)
        handled += taken
    assert numbers(handled) == list(range(1, 41))
    assert {message.delivered_before for message in handled} == {0}


def test_a_full_worker_still_hears_that_an_outside_step_has_ended_and_acknowledges(
    counting: Counting, intake: Intake
) -> None:
    counter = uuid4()
    counting.publish(padded(number, counter) for number in range(1, 10))
    pump_until(intake, lambda: intake.is_full)
    woken: list[float] = []

    def wake() -> None:
        intake._connection.add_callback_threadsafe(lambda: woken.append(time.monotonic()))

    threading.Timer(0.05, wake).start()
    pump_until(intake, lambda: bool(woken))
    assert intake.is_full
    first = intake.take(1, MAX_HELD)
    intake.acknowledge(first)
    assert numbers(first) == [1]
    pump_until(intake, lambda: numbers(intake.arrived) == [2, 3, 4, 5, 6])


def test_a_queue_that_is_released_while_its_worker_is_full_is_handled_to_the_end(
    counting: Counting, intake: Intake
) -> None:
    counter = uuid4()
    counting.publish(padded(number, counter) for number in range(1, 21))
    pump_until(intake, lambda: intake.is_full)
    intake.drain(intake.arrived[0].queue)
    handled: list[Delivery] = []
    released: list[str] = []
    while not released:
        taken = intake.take(1, MAX_HELD)
        intake.acknowledge(taken)
        handled += taken
        released = intake.release_drained()
    assert numbers(handled) == list(range(1, 21))


def test_workers_are_counted_also_after_the_connection_that_asks_was_ended(intake: Intake) -> None:
    assert intake.workers() == 1
    assert intake._asking
    intake._asking.connection._impl._transport._sock.shutdown(socket.SHUT_RDWR)
    assert intake.workers() == 1
    assert not intake.arrived


def test_a_connection_that_is_lost_while_a_worker_is_full_is_noticed_once_it_has_room(
    counting: Counting, intake: Intake
) -> None:
    counting.publish(padded(number, uuid4()) for number in range(1, 10))
    pump_until(intake, lambda: intake.is_full)
    intake._connection._impl._transport._sock.shutdown(socket.SHUT_RDWR)

    def handle_all() -> None:
        while True:
            intake.acknowledge(intake.take(1))
            intake.pump(0.01)

    with pytest.raises((AMQPError, OSError)):
        handle_all()
    intake.close()


def test_a_transaction_has_few_bytes_or_one_message(counting: Counting, intake: Intake) -> None:
    counter = uuid4()
    counting.publish(padded(number, counter, size) for number, size in enumerate((300, 300, 300, 900, 100), 1))
    pump_until(intake, lambda: len(intake.arrived) == 5)
    messages = [read(message, {Counted.NAME: Counted}) for message in intake.arrived]
    sound = [message for message in messages if isinstance(message, Received)]
    assert [len(batch) for batch in batched(sound, MAX_BATCH, 600)] == [2, 1, 1, 1]
    assert [len(batch) for batch in batched(sound, 2, 10_000)] == [2, 2, 1]
    assert numbers(intake.take(MAX_BATCH, 600)) == [1, 2]
    assert numbers(intake.take(MAX_BATCH, 800)) == [3]
    assert numbers(intake.take(MAX_BATCH, 800)) == [4]
    assert numbers(intake.take(MAX_BATCH, 800)) == [5]


def frames_of(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bool]]:
    """The acknowledgements that it sends from now on: tag, and whether for all up to it."""
    frames: list[tuple[int, bool]] = []
    send = BlockingChannel.basic_ack

    def note(channel: BlockingChannel, delivery_tag: int, multiple: bool = False) -> None:
        frames.append((delivery_tag, multiple))
        send(channel, delivery_tag, multiple)

    monkeypatch.setattr(BlockingChannel, "basic_ack", note)
    return frames


def test_messages_handled_one_after_the_other_are_acknowledged_with_one_frame(
    counting: Counting, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "ACK_SECONDS", 1000.0)
    frames, counter = frames_of(intake, monkeypatch), uuid4()
    for number in range(1, 11):
        counting.publish([counted(counter, number)])
        pump_until(intake, lambda: bool(intake.arrived))
        intake.acknowledge(intake.take(1))
    assert frames == []
    intake.close()
    assert frames == [(10, True)]
    assert counting.broker.depth(f"{GROUP}.0") + counting.broker.depth(f"{GROUP}.1") == 0


def test_it_acknowledges_when_the_time_has_come_and_at_once_what_fills_the_prefetch_or_was_delivered_before(
    counting: Counting, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "ACK_SECONDS", 0.01)
    frames, counter = frames_of(intake, monkeypatch), uuid4()
    counting.publish([counted(counter, 1)])
    pump_until(intake, lambda: bool(intake.arrived))
    intake.acknowledge(intake.take(1))
    pump_until(intake, lambda: frames == [(1, True)])
    monkeypatch.setattr(sources, "ACK_SECONDS", 1000.0)
    counting.publish(counted(counter, number) for number in range(2, 66))
    pump_until(intake, lambda: len(intake.arrived) == 64)
    intake.acknowledge(intake.take(62))
    assert frames == [(1, True)]
    intake.acknowledge(intake.take(1))
    assert frames == [(1, True), (64, True)]
    intake.acknowledge([intake.take(1)[0]._replace(delivered_before=1)])
    assert frames == [(1, True), (64, True), (65, True)]
