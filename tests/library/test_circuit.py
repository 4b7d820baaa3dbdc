"""What a worker does while a system that its outside steps call is silent."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from ordersaga.inbox.reactions import AT_ONCE
from tests.conftest import AnyServers
from tests.support.broker import TestBroker
from tests.support.counting import GROUP, Asked
from tests.support.databases import Databases
from tests.support.wait import until
from tests.support.workers import Counting, counted

NEEDS_NO_ANSWER = 0


@pytest.fixture
def counting(servers: AnyServers, database: Databases, broker: TestBroker, tmp_path: Path) -> Iterator[Counting]:
    with Counting(database(GROUP), broker, servers.amqp_url(GROUP), tmp_path) as counting:
        yield counting


def test_what_needs_no_answer_goes_on_while_every_outside_step_hangs(counting: Counting) -> None:
    silent, other = [uuid4() for _ in range(AT_ONCE + 4)], uuid4()
    for counter in silent:
        counting.switches.set(counter, "slow")
    counting.start()
    counting.publish(counted(counter, 1, Asked) for counter in silent)
    until(lambda: sum(map(counting.switches.is_obeyed, silent)) == AT_ONCE)
    counting.publish([counted(other, NEEDS_NO_ANSWER, Asked), counted(other, 2)])
    until(lambda: counting.numbers(other) == [NEEDS_NO_ANSWER, 2])
    assert not any(map(counting.numbers, silent))
    for counter in silent:
        counting.switches.clear(counter)
    until(lambda: all(counting.numbers(counter) == [1] for counter in silent))


def test_a_silent_resource_is_named_and_called_once_at_a_time_until_it_answers(counting: Counting) -> None:
    silent, other = [uuid4() for _ in range(40)], uuid4()
    for counter in silent:
        counting.switches.set(counter, "silent")
    process = counting.start()
    process.wait_until_ready()
    counting.publish(counted(counter, number, Asked) for counter in silent for number in (1, 2))
    until(lambda: len(counting.parked()) == 2 * len(silent))
    [problem] = until(process.problems)
    assert "the answering machine does not answer since" in problem
    assert "no answer" in problem
    uncalled = "select count(*) from parked_messages where error = 'CircuitOpen' and attempts = 0"
    assert counting.database.rows(uncalled)[0][0] > 0
    assert process.metric('ordersaga_circuit_open{operation="call",resource="answering machine"}') == 1
    counting.publish([counted(other, NEEDS_NO_ANSWER, Asked)])
    until(lambda: counting.numbers(other) == [NEEDS_NO_ANSWER])
    for counter in silent:
        counting.switches.clear(counter)
    until(lambda: all(counting.numbers(counter) == [1, 2] for counter in silent))
    assert process.problems() == []
    assert not counting.parked()
