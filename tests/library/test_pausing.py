"""What a pause promises: nothing is received or retried, in whatever process, and everything goes on in order."""

import json
import urllib.request
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg import Connection

from ordersaga.parked import group_pause
from tests.support.api import token
from tests.support.counting import DEADLINE, GROUP
from tests.support.parked_api import Call, calling_parked
from tests.support.parking import ALICE, receive
from tests.support.wait import until
from tests.support.workers import Counting, Process, counted

PAUSED = f'ordersaga_group_paused{{group="{GROUP}"}}'


@pytest.fixture
def call(counting: Counting, monkeypatch: pytest.MonkeyPatch) -> Iterator[Call]:
    yield from calling_parked(counting, monkeypatch)


def ready(process: Process) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{process.health_port}/readyz", timeout=5) as answer:
        return json.load(answer)


def is_paused(process: Process) -> bool:
    return process.metric(PAUSED) == 1


def test_a_paused_group_receives_and_retries_nothing_also_after_a_restart_and_goes_on_in_order(
    counting: Counting, connection: Connection[Any], call: Call
) -> None:
    counter, failing = uuid4(), uuid4()
    worker = counting.start()
    counting.publish([counted(counter, 1), counted(failing, 1)])
    until(lambda: counting.numbers(counter) == [1] and counting.numbers(failing) == [1])
    paused = call("POST", "/consumer/pause", json={"reason": "the supplier sends nonsense"})
    assert (paused["group"], paused["paused"], paused["actor"]) == (GROUP, True, "olga")
    until(lambda: is_paused(worker))
    until(lambda: consumers(counting) == 0)
    counting.publish(counted(counter, number) for number in range(2, 6))
    park(counting, connection, failing)
    [warning] = ready(worker)["warnings"]
    assert "paused by olga" in warning
    assert "the supplier sends nonsense" in warning
    assert worker.terminate() == 0
    again = counting.start()
    again.wait_until_ready()
    until(lambda: is_paused(again))
    set_deadline(counting, counter)
    until(lambda: counting.numbers(counter) == [1, -1])
    assert counting.parked("state, attempts") == [("retrying", 1)]
    assert sum(counting.broker.depth(queue) for queue in counting.group.queue_names) == 4
    assert call("GET", "/consumer", token("auditor", "ada"))["reason"] == "the supplier sends nonsense"
    assert call("POST", "/consumer/resume", json={})["paused"] is False
    until(lambda: counting.numbers(counter) == [1, -1, 2, 3, 4, 5] and not counting.parked())
    assert (again.metric(PAUSED), ready(again)["warnings"]) == (0, [])
    said = "select action, actor, reason from operator_actions order by position"
    assert counting.database.rows(said) == [
        ("pause", "olga", "the supplier sends nonsense"),
        ("resume", "olga", ""),
    ]


def consumers(counting: Counting) -> int:
    with counting.broker.channel() as channel:
        names = counting.group.queue_names
        return sum(channel.queue_declare(name, passive=True).method.consumer_count for name in names)


def park(counting: Counting, connection: Connection[Any], counter: UUID) -> None:
    """A message that failed, is mended and due."""
    counting.switches.set(counter, "fail")
    receive(connection, counted(counter, 2))
    counting.switches.clear(counter)
    connection.execute("update parked_messages set next_attempt_at = now()")


DUE_NOW = """
insert into deadlines (name, aggregate_id, due_at, correlation_id, traceparent, tracestate)
values (%s, %s, now(), gen_random_uuid(), '', '') returning 1
"""


def set_deadline(counting: Counting, counter: UUID) -> None:
    counting.database.rows(DUE_NOW, [DEADLINE, counter])


def test_a_pause_that_lasts_is_not_begun_again_and_nothing_is_recorded_of_a_resume_without_one(
    counting: Counting, connection: Connection[Any]
) -> None:
    assert group_pause.resume(connection, ALICE) is None
    begun, is_new = group_pause.pause(connection, ALICE)
    assert group_pause.pause(connection, ALICE._replace(actor="bob")) == (begun, not is_new)
    assert group_pause.resume(connection, ALICE) == begun
    assert group_pause.current(connection) is None
    assert counting.database.rows("select action from operator_actions") == [("pause",), ("resume",)]
