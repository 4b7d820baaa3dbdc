"""Rows of 4 MB: relay and worker pass on all, once, each with less than 300 MB of memory."""

import os
import subprocess
import time
from dataclasses import replace
from uuid import uuid4

import pika
import pytest

from ordersaga.broker.topology import parameters
from ordersaga.consumer import intake as intakes
from ordersaga.consumer import reading
from ordersaga.consumer.intake import Intake
from ordersaga.inbox.delivery import Delivery
from tests.conftest import AnyServers
from tests.library.test_relay_large_messages import SIZE, announce_large
from tests.support.broker import TestBroker
from tests.support.counting import GROUP
from tests.support.databases import Databases
from tests.support.refusals import QUEUE, refusing
from tests.support.relays import all_published, relays_of
from tests.support.wait import until
from tests.support.workers import Counting, counted

pytestmark = pytest.mark.timeout(900)
MEMORY = 300 * 1000 * 1000
MESSAGES = 1000


def most_memory(process: subprocess.Popen[bytes]) -> int:
    """End a process and return the most resident memory that it had, in bytes."""
    process.terminate()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_maxrss * 1024


def test_six_hundred_megabytes_are_published_once_with_less_than_three_hundred_of_memory(
    database: Databases, broker: TestBroker, servers: AnyServers
) -> None:
    outbox = database()
    announce_large(outbox, 150, SIZE)
    with refusing(broker), relays_of(outbox, servers.amqp_url("relay")) as relays:
        relay = relays.start()
        until(lambda: all_published(outbox), seconds=300, every=0.2)
        assert relay.log().count("is away") == 0
        assert broker.depth(QUEUE) == 150
        assert most_memory(relay) < MEMORY


def test_four_gigabytes_that_lie_in_the_queues_are_received_once_with_less_than_three_hundred_megabytes_of_memory(
    counting: Counting,
) -> None:
    counters = [uuid4() for _ in range(10)]
    each = MESSAGES // len(counters)
    messages = (counted(counter, number) for number in range(1, each + 1) for counter in counters)
    counting.publish(replace(message, body=message.body.ljust(SIZE)) for message in messages)
    worker = counting.start()
    until(lambda: counting.in_inbox() == MESSAGES, seconds=600, every=0.5)
    assert [counting.numbers(counter) for counter in counters] == [list(range(1, each + 1))] * len(counters)
    assert counting.parked() == []
    assert most_memory(worker.popen) < MEMORY


def test_a_worker_that_stays_full_keeps_its_connection_and_goes_on_where_it_was(
    counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each server ends a connection after two seconds or seven without a byte from the other."""
    monkeypatch.setattr(intakes, "parameters", with_short_heartbeat)
    monkeypatch.setattr(intakes, "MAX_HELD_BYTES", 2 * SIZE)
    monkeypatch.setattr(reading, "GLANCE_SECONDS", 2.0)
    counter = uuid4()
    counting.publish(
        replace(message, body=message.body.ljust(SIZE)) for message in (counted(counter, n) for n in range(1, 21))
    )
    intake = Intake(GROUP, counting.amqp_url)
    try:
        end = time.monotonic() + 25
        while time.monotonic() < end:
            intake.pump(0.2)
        assert len(intake.arrived) <= 4
        handled: list[Delivery] = []
        while len(handled) < 20:
            intake.pump(0.2)
            taken = intake.take(1)
            intake.acknowledge(taken)
            handled += taken
    finally:
        intake.close()
    assert [int(message.headers["ce-sequence"]) for message in handled] == list(range(1, 21))
    assert {message.delivered_before for message in handled} == {0}


def with_short_heartbeat(amqp_url: str, name: str) -> list[pika.URLParameters]:
    found = parameters(amqp_url, name)
    for node in found:
        node.heartbeat = 2
    return found
