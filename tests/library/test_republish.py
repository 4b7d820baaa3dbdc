"""A broker that lost its messages is refilled from the event stores, with the same messages in the same order."""

import json
import subprocess
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from ordersaga.envelope.message import Cause
from ordersaga.store import republish
from ordersaga.store.transaction import Transaction, decide
from tests.conftest import AnyServers
from tests.support.broker import TestBroker
from tests.support.counting import Counter, announcements
from tests.support.databases import Database, Databases
from tests.support.ordersaga_command import ordersaga
from tests.support.relays import EVERYTHING, all_published, ids_in_order, listen, relays_of
from tests.support.wait import until

ROWS = """
select message_id, contract, source, key, sequence, time, event_hash, correlation_id, causation_id, actor, body
from outbox order by position
"""
UNREADABLE = """
insert into stored_events (originator_id, originator_version, topic, state, correlation_id, actor, hash)
values (gen_random_uuid(), 1, 'counter.renamed', '{}', gen_random_uuid(), 'somebody', '') returning 1
"""
COUNTERS = [uuid4() for _ in range(5)]
CAUSE = Cause(uuid4(), uuid4(), "alice", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")


@pytest.fixture
def store(database: Databases) -> Database:
    return database()


def record(store: Database, counters: int, numbers: int) -> list[UUID]:
    """Counters that count, each number once; returns the ids of what announces it, in order."""
    with store.connect() as connection:
        for number in range(1, numbers + 1):
            for counter in COUNTERS[:counters]:
                decide(connection, announcements, CAUSE, partial(count, counter=counter, number=number))
    return ids_in_order(store)


def count(transaction: Transaction, counter: UUID, number: int) -> None:
    found = transaction.find(Counter, counter) or Counter(id=counter)
    if number not in found.numbers:
        found.keep(number)
        transaction.save(found)


def announce_again(store: Database, **options: Any) -> tuple[int, int]:
    """How many events were read and messages written."""
    with store.connect() as reading, store.connect() as writing:
        counts = list(republish.announce_again(reading, writing, announcements, **options))
    return sum(events for events, _ in counts), sum(messages for _, messages in counts)


def test_a_broker_that_lost_everything_is_refilled_from_the_event_store(
    store: Database, broker: TestBroker, servers: AnyServers
) -> None:
    broker.declare(EVERYTHING)
    ids = record(store, counters=5, numbers=4)
    with relays_of(store, servers.amqp_url("relay")) as relays:
        relays.start()
        until(lambda: all_published(store))
        with broker.channel() as channel:
            for queue in EVERYTHING.queue_names:
                channel.queue_delete(queue)
        broker.declare(EVERYTHING)
        with psycopg.connect(store.owner_url, autocommit=True) as owner:
            owner.execute("delete from outbox")
        assert announce_again(store) == (25, 20)
        until(lambda: all_published(store))
    assert [message.id for message in listen(broker)] == ids


def test_what_is_announced_again_is_the_same_but_for_the_trace(
    store: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(republish, "BATCH", 3)
    record(store, counters=5, numbers=2)
    before = store.rows(ROWS)
    assert announce_again(store) == (15, 10)
    assert store.rows(ROWS) == before + before


def test_a_time_and_a_key_narrow_it_down(store: Database) -> None:
    record(store, counters=3, numbers=1)
    ((since,),) = store.rows("select clock_timestamp()")
    later = record(store, counters=3, numbers=2)[3:]
    assert announce_again(store, since=since) == (3, 3)
    assert ids_in_order(store)[6:] == later
    assert announce_again(store, key=str(COUNTERS[1])) == (9, 2)


def republish_command(store: Database, *options: str) -> subprocess.CompletedProcess[str]:
    command = ("--app", "tests.support.counting", "relay", "republish", "counting", *options)
    return ordersaga(*command, COUNTING_DATABASE_URL=store.url)


def test_an_event_that_cannot_be_read_is_named_and_the_others_are_announced_again(store: Database) -> None:
    before = record(store, counters=2, numbers=1)
    store.rows(UNREADABLE)
    ids = before + record(store, counters=2, numbers=3)[2:]
    done = republish_command(store)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "1 events cannot be read" in done.stderr
    assert "counter.renamed, version 1 of " in done.stderr
    assert ids_in_order(store) == ids + ids


def test_the_command_announces_again_and_says_how_much(store: Database) -> None:
    record(store, counters=3, numbers=1)
    run = partial(republish_command, store)
    assert json.loads(run("--json").stdout) == {"announced": {"counting": 3}, "unreadable": []}
    assert len(ids_in_order(store)) == 6
    assert "0 messages announced again" in run("--key", str(uuid4())).stdout
    assert "0 messages announced again" in run("--since", "2100-01-01").stdout
    forgotten = run("--since", "2020-01-01")
    assert (forgotten.returncode, "INBOX_RETENTION_DAYS" in forgotten.stderr) == (1, True)
    wrong = run("--since", "yesterday")
    assert (wrong.returncode, "'yesterday' is not a time" in wrong.stderr) == (2, True)
