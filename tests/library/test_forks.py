"""What a forked history meets: two events under one message id never both take effect, and a person hears of it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from ordersaga.envelope.message import Message
from ordersaga.parked import operations
from ordersaga.parked.operator import Operator
from tests.conftest import AnyServers
from tests.support.broker import TestBroker
from tests.support.counting import GROUP
from tests.support.databases import Databases
from tests.support.wait import until
from tests.support.workers import Counting, counted

STATES = "message_id, state, error"
FORKS = "ordersaga_messages_forked_total"


@pytest.fixture
def counting(servers: AnyServers, database: Databases, broker: TestBroker, tmp_path: Path) -> Iterator[Counting]:
    with Counting(database(GROUP), broker, servers.amqp_url(GROUP), tmp_path) as counting:
        yield counting


def forked(message: Message) -> Message:
    """The same aggregate and version, as the promoted replica recorded it."""
    return replace(message, event_hash=bytes(range(32)))


def test_a_fork_is_quarantined_and_alarmed_blocks_its_key_and_no_other(counting: Counting) -> None:
    key, *others = (uuid4() for _ in range(20))
    process = counting.start()
    process.wait_until_ready()
    counting.publish([counted(key, 1)])
    until(lambda: counting.in_inbox() == 1)
    fork = forked(counted(key, 1))
    counting.publish([fork, *(counted(other, 1) for other in others), counted(key, 2), fork])
    until(lambda: counting.in_inbox() == 20 and process.metric(FORKS) == 2)
    assert counting.parked("key, state, error") == [(str(key), "dead", "ForkedHistory"), (str(key), "waiting", "")]
    [(id_, reason)] = counting.parked("message_id, message")[:1]
    assert id_ != fork.id
    assert f"announces event {fork.event_hash.hex()}, but was received before with event {'00' * 32}" in reason
    assert counting.numbers(key) == [1]
    assert [counting.numbers(other) for other in others] == [[1]] * 19
    assert "forked history" in counting.log.read_text()


def test_a_repeat_is_no_fork(counting: Counting) -> None:
    key = uuid4()
    process = counting.start()
    process.wait_until_ready()
    counting.publish([counted(key, 1), counted(key, 1), counted(key, 2), counted(key, 1)])
    until(lambda: process.metric("ordersaga_messages_deduplicated_total") == 2)
    assert counting.numbers(key) == [1, 2]
    assert counting.parked() == []
    assert process.metric(FORKS) == 0


def test_a_fork_of_a_parked_message_is_not_dropped_as_its_copy(counting: Counting) -> None:
    key = uuid4()
    counting.switches.set(key, "fail:1")
    counting.start()
    counting.publish([counted(key, 1), counted(key, 2)])
    until(lambda: len(counting.parked()) == 2)
    counting.publish([forked(counted(key, 1)), forked(counted(key, 2)), counted(key, 3)])
    until(lambda: len(counting.parked()) == 5)
    counting.switches.clear(key)
    until(lambda: counting.numbers(key) == [1, 2])
    assert counting.parked("state, error") == [("dead", "ForkedHistory")] * 2 + [("waiting", "")]


def test_both_of_a_fork_in_one_batch_are_told_apart(counting: Counting) -> None:
    key, other = uuid4(), uuid4()
    counting.publish([counted(key, 1), forked(counted(key, 1)), counted(key, 2), counted(other, 1)])
    counting.start()
    until(lambda: counting.in_inbox() == 2 and len(counting.parked()) == 2)
    assert counting.numbers(key) == [1]
    assert counting.numbers(other) == [1]
    assert counting.parked("state, error") == [("dead", "ForkedHistory"), ("waiting", "")]


@pytest.mark.parametrize("comes_first", ["the skip", "the real message"])
def test_of_two_with_one_id_a_person_skips_the_forged_one_and_retries_the_real_one(
    counting: Counting, comes_first: str
) -> None:
    key = uuid4()
    real = counted(key, 1)
    counting.start()
    counting.publish([replace(forked(real), body="{}")])
    [(forgery,)] = until(lambda: counting.parked("message_id"))
    assert forgery != real.id
    if comes_first == "the real message":
        counting.publish([real])
        until(lambda: len(counting.parked()) == 2)
    act(counting, operations.skip, forgery)
    if comes_first == "the skip":
        counting.publish([real])
    [(fork, _, _)] = until(lambda: [row for row in counting.parked(STATES) if row[1:] == ("dead", "ForkedHistory")])
    assert counting.numbers(key) == []
    act(counting, operations.retry, fork)
    until(lambda: counting.numbers(key) == [1])
    assert counting.parked() == []


def act(counting: Counting, action: Callable[..., object], message_id: UUID) -> None:
    with counting.database.connect() as connection, connection.transaction():
        action(connection, message_id, Operator("me", "it is forged"))
