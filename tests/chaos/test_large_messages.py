"""Rows of 4 MB: relay and worker pass on all, once, each with less than 300 MB of memory."""

import os
import subprocess
from dataclasses import replace
from uuid import uuid4

import pytest

from tests.conftest import AnyServers
from tests.library.test_relay_large_messages import SIZE, announce_large
from tests.support.broker import TestBroker
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
