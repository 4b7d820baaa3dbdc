"""What parking promises: a message that cannot be handled holds up its own key and nothing else, and is not lost."""

import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pika
import psycopg
import pytest

from ordersaga.envelope.message import Message, to_properties
from ordersaga.parked import attempts, failure_notes, table
from tests.conftest import AnyServers
from tests.support.broker import TestBroker
from tests.support.counting import GROUP, Asked, Counted
from tests.support.databases import Databases
from tests.support.wait import until
from tests.support.workers import Counting, counted


@pytest.fixture
def counting(servers: AnyServers, database: Databases, broker: TestBroker, tmp_path: Path) -> Iterator[Counting]:
    with Counting(database(GROUP), broker, servers.amqp_url(GROUP), tmp_path) as counting:
        yield counting


@pytest.mark.parametrize("contract", [Counted, Asked])
def test_a_failing_message_holds_up_its_key_alone_and_heals_in_order(
    counting: Counting, contract: type[Counted]
) -> None:
    failing, *others = (uuid4() for _ in range(6))
    counting.switches.set(failing, "fail:2")
    counting.start()
    counting.publish(counted(counter, number, contract) for number in range(1, 9) for counter in (failing, *others))
    until(lambda: len(counting.parked()) == 7 and all(len(counting.numbers(other)) == 8 for other in others))
    assert counting.numbers(failing) == [1]
    assert counting.parked() == [
        (contract.NAME, str(failing), "retrying", "ValueError"),
        *[(contract.NAME, str(failing), "waiting", "")] * 6,
    ]
    [(place, message, traceback)] = counting.database.rows(
        "select place, message, traceback from parked_messages where state = 'retrying'"
    )
    assert place.startswith("support/counting.py:")
    assert place.endswith(" Switches.obey")
    assert message == f"counter {failing} cannot count 2"
    assert traceback.startswith("Traceback")
    until(lambda: counting.parked("attempts")[0] > (2,))
    counting.switches.clear(failing)
    until(lambda: not counting.parked())
    assert counting.numbers(failing) == list(range(1, 9))
    assert [counting.numbers(other) for other in others] == [list(range(1, 9))] * 5
    assert counting.in_inbox() == 48


def test_a_bad_message_does_not_hurt_its_neighbours_in_the_batch(counting: Counting) -> None:
    counters = [uuid4() for _ in range(200)]
    for bad in (counters[0], counters[77], counters[199]):
        counting.switches.set(bad, "fail")
    counting.publish(counted(counter, 1) for counter in counters)
    counting.start()
    until(lambda: counting.in_inbox() == 197 and len(counting.parked("key")) == 3)
    assert {key for (key,) in counting.parked("key")} == {str(counters[0]), str(counters[77]), str(counters[199])}


def test_after_its_last_attempt_a_message_is_dead_and_its_followers_wait(counting: Counting) -> None:
    counting.environment = {"COUNTING_ATTEMPTS": "3", "COUNTING_BASE": "0.01"}
    failing, other = uuid4(), uuid4()
    counting.switches.set(failing, "fail:1")
    counting.start()
    counting.publish([counted(failing, 1), counted(failing, 2)])
    until(lambda: counting.parked("state, attempts, next_attempt_at") == [("dead", 3, None), ("waiting", 0, None)])
    counting.switches.clear(failing)
    counting.publish([counted(failing, 3), counted(other, 1)])
    until(lambda: counting.numbers(other) == [1] and len(counting.parked()) == 3)
    assert counting.parked("state") == [("dead",), ("waiting",), ("waiting",)]
    assert counting.numbers(failing) == []


def raw(message: Message, **headers: str | None) -> pika.BasicProperties:
    """The message's envelope with some headers changed, or left out when None."""
    properties = to_properties(message)
    changed = {**properties.headers, **{f"ce-{name}": value for name, value in headers.items()}}
    properties.headers = {name: value for name, value in changed.items() if value is not None}
    return properties


def test_what_cannot_be_read_is_parked_with_its_reason_and_the_queue_goes_on(counting: Counting) -> None:
    broken, other = uuid4(), uuid4()
    counting.start()
    good = counted(broken, 1)
    body = good.body.encode()
    for _ in range(2):
        counting.publish_raw(pika.BasicProperties(), b"what is this")
        counting.publish_raw(raw(good, time="yesterday"), body)
        counting.publish_raw(raw(good, id=str(uuid4()), subject="a\0b", partitionkey="a\0b"), body)
        counting.publish_raw(raw(counted(other, 9), type="test.unheard_of.v1"), body, good.routing_key)
        counting.publish_raw(raw(counted(broken, 2)), b'{"counter_id": "x"}')
        counting.publish_raw(raw(counted(broken, 3)), b"\xff\xfe")
    counting.publish([counted(broken, 4), counted(other, 1)])
    until(lambda: counting.numbers(other) == [1] and len(counting.parked()) >= 8)
    found = counting.parked("contract, key, state, error, message")
    assert [(row[:4], row[4].split("\n")[0]) for row in found if row[4].startswith("header ce-id")] == [
        ((None, None, "dead", "UnreadableMessage"), "header ce-id is missing")
    ]
    reasons = {(row[0], row[1], row[2]): row[4].split("\n")[0] for row in found}
    misrouted = f"the routing key is {good.routing_key}, that of its envelope test.unheard_of.v1"
    assert reasons[("test.unheard_of.v1", None, "dead")].startswith(misrouted)
    malformed = [row[4] for row in found if row[0] == Counted.NAME and row[1] is None]
    assert len(malformed) == 3
    assert all(text.startswith("header or body is malformed") for text in malformed)
    of_key = [(row[2], row[4].split(":")[0]) for row in found if row[1] == str(broken)]
    assert of_key == [
        ("dead", "the body is not a test.counted.v1"),
        ("dead", "header or body is malformed"),
        ("waiting", ""),
    ]
    assert counting.numbers(broken) == []


def keep_running(counting: Counting, until_set: threading.Event) -> int:
    """Start a worker as often as it dies, as a supervisor does. Returns the number of deaths."""
    deaths = 0
    while not until_set.is_set():
        process = counting.start()
        while process.popen.poll() is None and not until_set.wait(0.02):
            pass
        deaths += process.popen.poll() == 9
    return deaths


def test_a_message_that_kills_the_process_ends_dead_and_its_neighbours_are_unharmed(counting: Counting) -> None:
    counting.environment = {"COUNTING_ATTEMPTS": "3"}
    killer, *others = (uuid4() for _ in range(41))
    counting.switches.set(killer, "exit:1")
    counting.publish(
        [
            counted(killer, 1),
            counted(killer, 2),
            *(counted(other, number) for number in range(1, 6) for other in others),
        ]
    )
    deaths: list[int] = []
    done = threading.Event()
    supervisor = threading.Thread(target=lambda: deaths.append(keep_running(counting, done)))
    supervisor.start()
    try:
        until(lambda: counting.parked("key, state") == [(str(killer), "dead"), (str(killer), "waiting")], seconds=40)
        until(lambda: counting.in_inbox() == 200)
    finally:
        done.set()
        supervisor.join()
    assert [counting.numbers(other) for other in others] == [[1, 2, 3, 4, 5]] * 40
    assert deaths == [4]
    assert counting.broker.depth(counting.group.dead_letters) == 0


def test_what_the_broker_gave_up_is_kept_as_dead_and_blocks_its_key(counting: Counting) -> None:
    given_up, other = uuid4(), uuid4()
    counting.publish([counted(given_up, 1)])
    for _ in range(6):
        give_back_unhandled(counting)
    until(lambda: counting.broker.depth(counting.group.dead_letters) == 1)
    counting.publish([counted(given_up, 2), counted(other, 1)])
    counting.start()
    until(lambda: len(counting.parked()) >= 1 and counting.numbers(other) == [1])
    [dead, *_] = counting.parked("key, state, message, routing_key")
    message = counted(given_up, 1)
    reason = "delivery limit reached (the process died handling it)"
    assert dead == (str(given_up), "dead", reason, message.routing_key)
    counting.publish([counted(given_up, 3)])
    until(lambda: counting.parked("state")[-1] == ("waiting",))
    assert counting.broker.depth(counting.group.dead_letters) == 0


def give_back_unhandled(counting: Counting) -> None:
    """Take the message from whichever queue has it and go without a word."""
    with counting.broker.channel() as channel:
        taken: list[bytes] = []
        for queue in counting.group.queue_names:
            channel.basic_consume(queue, lambda *delivery: taken.append(delivery[3]))
        while not taken:
            channel.connection.process_data_events(time_limit=10)


def test_nothing_overtakes_while_messages_are_parked_and_released_all_the_time(counting: Counting) -> None:
    """Two processes, so that often the one that releases is not the one that consumes."""
    counters = [uuid4() for _ in range(4)]
    counting.environment = {"COUNTING_ATTEMPTS": "1000", "COUNTING_BASE": "0.005"}
    counting.start()
    counting.start()
    done = threading.Event()
    switcher = threading.Thread(target=lambda: toggle(counting, counters, done))
    switcher.start()
    counting.publish(counted(counter, number) for number in range(1, 251) for counter in counters)
    done.set()
    switcher.join()
    until(lambda: not counting.parked() and counting.in_inbox() == 1000, seconds=30)
    assert [counting.numbers(counter) for counter in counters] == [list(range(1, 251))] * 4


def toggle(counting: Counting, counters: list[UUID], done: threading.Event) -> None:
    while not done.wait(0.03):
        for counter in counters:
            counting.switches.set(counter, "fail")
        done.wait(0.03)
        for counter in counters:
            counting.switches.clear(counter)


MANY = """
insert into parked_messages (message_id, key, routing_key, headers, body, state, next_attempt_at)
select gen_random_uuid(), 'key ' || number / 10, '', '{}', '',
    case when number % 10 = 0 then 'retrying' else 'waiting' end,
    case when number % 10 = 0 then now() + interval '1 hour' end
from generate_series(1, 20000) as number
"""
HOT = {
    "parked_among": table.AMONG.replace("%s", "array['key 7', 'other']"),
    "claim": attempts.CLAIM
    % {
        "alone": "true",
        "attempts": "21",
        "deaths": "8",
        "suspect": "'Suspect'",
        "lease": "interval '1 minute'",
        "unready": "array['mail server/send']",
        "unknown": "'UnknownContract'",
        "contracts": "array['test.counted.v1']",
    },
    "next_due": attempts.NEXT_DUE
    % {
        "unknown": "'UnknownContract'",
        "contracts": "array['test.counted.v1']",
        "unready": "array['mail server/send']",
    },
    "settle": failure_notes.SETTLE % "'UnknownContract'",
    "release_known": attempts.RELEASE_KNOWN % ("'UnknownContract'", "array['test.counted.v1']"),
    "followers": attempts.FOLLOWERS % ("'key 7'", "5", "100"),
    "release": attempts.RELEASE.replace("%s", "'key 7'"),
}


def test_no_statement_of_the_hot_path_reads_the_whole_table(database: Databases) -> None:
    counting = database(GROUP)
    with psycopg.connect(counting.owner_url, autocommit=True) as connection:
        connection.execute(MANY)
        connection.execute("analyze parked_messages")
        for name, statement in HOT.items():
            plan = "\n".join(row[0] for row in connection.execute(f"explain {statement}"))
            assert "Seq Scan on parked_messages" not in plan, f"{name}:\n{plan}"
