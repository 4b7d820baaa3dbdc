"""What the broker does not take is kept with a reason; its key waits behind it in order, and other keys go on."""

import random
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from uuid import UUID

import pytest

from ordersaga.parked import listing, operations
from ordersaga.parked.listing import ParkedFilter
from ordersaga.parked.operator import Operator, UnknownMessage
from ordersaga.relay import purge, session
from ordersaga.relay import undeliverable as table
from tests.conftest import AnyServers
from tests.support.broker import TestBroker
from tests.support.databases import Database
from tests.support.plans import plan_of
from tests.support.refusals import (
    FULL,
    HEARD,
    UNBOUND,
    bind,
    broker_takes_at_most,
    fill_up,
    make_room,
    refusing,
    unbind,
    undeliverable,
)
from tests.support.relays import (
    KILLED_BEFORE_ITS_CURSOR_MOVES,
    Relays,
    all_published,
    announce,
    assert_in_order_per_key,
    first_copies,
    listen,
    relays_of,
)
from tests.support.wait import until

ME = Operator("me", "healed")


@pytest.fixture
def relays(outbox: Database, broker: TestBroker, servers: AnyServers) -> Iterator[Relays]:
    with refusing(broker), relays_of(outbox, servers.amqp_url("relay")) as relays:
        yield relays


def announce_each(outbox: Database, *messages: tuple[str, int, str]) -> list[UUID]:
    """(key, sequence, contract), in one transaction."""
    with outbox.connect() as connection, connection.transaction():
        return [announce(connection, key, sequence, contract) for key, sequence, contract in messages]


def retry_all(outbox: Database) -> None:
    with outbox.connect() as connection:
        for row in listing.messages(connection, ParkedFilter(refused_by="broker", failed=True)):
            with suppress(UnknownMessage):
                operations.retry(connection, row["message_id"], ME)


def heard(broker: TestBroker) -> list[tuple[str, int]]:
    return [(message.key, message.sequence) for message in listen(broker)]


@pytest.mark.parametrize(("contract", "kind"), [(UNBOUND, "returned"), (FULL, "nacked")])
def test_a_refused_message_is_kept_with_its_reason_its_key_waits_and_others_go_on(
    outbox: Database, broker: TestBroker, relays: Relays, contract: str, kind: str
) -> None:
    id_, *_ = announce_each(outbox, ("a", 1, contract), ("b", 1, HEARD), ("a", 2, HEARD), ("b", 2, HEARD))
    relay = relays.start()
    until(lambda: all_published(outbox))
    announce_each(outbox, ("a", 3, HEARD), ("b", 3, HEARD))
    until(lambda: all_published(outbox))
    assert heard(broker) == [("b", 1), ("b", 2), ("b", 3)]
    assert undeliverable(outbox) == [("a", 1, kind), ("a", 2, "waits"), ("a", 3, "waits")]
    [(refused, reason)] = outbox.rows("select message_id, reason from undeliverable where kind = %s", (kind,))
    assert refused == id_
    assert {"returned": "312 NO_ROUTE", "nacked": "refused it"}[kind] in reason
    until(lambda: outbox.rows("select from undeliverable where attempts > 2"))
    assert relay.log().count(str(id_)) == 1


@pytest.mark.parametrize("contract", [UNBOUND, FULL])
def test_what_is_taken_at_last_is_followed_by_what_waited_in_order_and_then_its_key_flows_directly(
    outbox: Database, broker: TestBroker, relays: Relays, contract: str
) -> None:
    announce_each(outbox, *(("a", sequence, contract if sequence in (0, 3) else HEARD) for sequence in range(8)))
    relays.start()
    until(lambda: len(undeliverable(outbox)) == 8)
    make_room(broker)
    bind(broker, contract)
    until(lambda: undeliverable(outbox) == [])
    announce_each(outbox, ("a", 8, HEARD))
    until(lambda: all_published(outbox))
    assert heard(broker) == [("a", sequence) for sequence in range(9)]
    assert undeliverable(outbox) == []


def test_a_message_over_the_limit_of_the_setting_waits_for_a_person_and_a_larger_limit(
    outbox: Database, broker: TestBroker, relays: Relays
) -> None:
    with outbox.connect() as connection, connection.transaction():
        announce(connection, "a", 1)
        announce(connection, "a", 2, body="ü" * 501)
        announce(connection, "a", 3)
        announce(connection, "b", 1, body="ü" * 500)
    relay = relays.start(RELAY_MAX_MESSAGE_BYTES="1000")
    until(lambda: all_published(outbox))
    assert undeliverable(outbox) == [("a", 2, "too_large"), ("a", 3, "waits")]
    assert outbox.rows("select reason from undeliverable where next_attempt_at is null and kind = 'too_large'") == [
        ("its body has 1002 bytes, RELAY_MAX_MESSAGE_BYTES is 1000",)
    ]
    retry_all(outbox)
    until(lambda: undeliverable(outbox, "attempts, next_attempt_at is null")[0] == (1, True))
    relay.send_signal(signal.SIGTERM)
    assert relay.wait(10) == 0
    relays.start()
    retry_all(outbox)
    until(lambda: undeliverable(outbox) == [])
    assert sorted(heard(broker)) == [("a", 1), ("a", 2), ("a", 3), ("b", 1)]


def test_messages_over_the_brokers_own_limit_are_found_and_kept_and_all_others_go_on(
    outbox: Database, broker: TestBroker, relays: Relays, servers: AnyServers
) -> None:
    with outbox.connect() as connection, connection.transaction():
        for number in range(300):
            announce(connection, str(number), 1, body="x" * (1001 if number % 100 == 50 else 1000))
            announce(connection, str(number), 2)
    with broker_takes_at_most(servers, 1000):
        relay = relays.start()
        until(lambda: all_published(outbox))
        assert [row for row in undeliverable(outbox) if row[2] != "waits"] == [
            (key, 1, "too_large") for key in ("50", "150", "250")
        ]
        assert relay.log().count("message size 1001 is larger than configured max size 1000") >= 3
        retry_all(outbox)
        tried = "select kind = 'too_large' and next_attempt_at is null from undeliverable where kind <> 'waits'"
        until(lambda: outbox.rows(tried) == [(True,)] * 3)
    assert len(undeliverable(outbox)) == 6
    relay.kill()
    relays.start()
    retry_all(outbox)
    until(lambda: undeliverable(outbox) == [])
    messages = first_copies(listen(broker))
    assert len(messages) == 600
    assert_in_order_per_key(messages)


def test_a_relay_killed_while_messages_are_undeliverable_loses_none_and_keeps_their_order(
    outbox: Database, broker: TestBroker, relays: Relays
) -> None:
    contracts = (UNBOUND, HEARD, FULL, HEARD)
    for sequence in range(4):
        announce_each(outbox, *((str(key), sequence, contracts[(key + sequence) % 4]) for key in range(20)))
        relay = relays.start()
        until(lambda: all_published(outbox))
        relay.kill()
        relay.wait()
    assert len({key for key, *_ in undeliverable(outbox)}) == 20
    make_room(broker)
    bind(broker, UNBOUND)
    bind(broker, FULL)
    relay = relays.start()
    until(lambda: len(undeliverable(outbox)) < 40)
    relay.kill()
    retry_all(outbox)
    relays.start()
    until(lambda: undeliverable(outbox) == [])
    messages = first_copies(listen(broker))
    assert len(messages) == 80
    assert_in_order_per_key(messages)


def test_what_was_kept_before_the_cursor_moved_is_not_sent_past_its_place(
    outbox: Database, broker: TestBroker, relays: Relays
) -> None:
    announce_each(outbox, ("a", 1, HEARD), ("a", 2, UNBOUND), ("a", 3, HEARD))
    assert relays.start(script=KILLED_BEFORE_ITS_CURSOR_MOVES).wait(20) == -signal.SIGKILL
    assert not all_published(outbox)
    before = undeliverable(outbox, "message_id, refused_at")
    assert len(before) == 2
    relays.start()
    until(lambda: all_published(outbox))
    assert [row for row in undeliverable(outbox, "message_id, refused_at") if row in before] == before
    bind(broker, UNBOUND)
    retry_all(outbox)
    until(lambda: undeliverable(outbox) == [])
    messages = first_copies(listen(broker))
    assert [message.sequence for message in messages] == [1, 2, 3]


def test_trimming_the_outbox_takes_nothing_from_what_is_undeliverable(
    outbox: Database, broker: TestBroker, relays: Relays
) -> None:
    announce_each(outbox, ("a", 1, UNBOUND), ("a", 2, HEARD))
    relays.start()
    until(lambda: len(undeliverable(outbox)) == 2 and all_published(outbox))
    with outbox.connect_as_relay() as connection:
        deleted, *_ = purge.purge(connection, retention_seconds=0)
    assert deleted == 2
    bind(broker, UNBOUND)
    retry_all(outbox)
    until(lambda: undeliverable(outbox) == [])
    assert heard(broker) == [("a", 1), ("a", 2)]


def test_a_skipped_message_is_never_sent_and_its_key_goes_on(
    outbox: Database, broker: TestBroker, relays: Relays
) -> None:
    gone, *_ = announce_each(outbox, ("a", 1, UNBOUND), ("a", 2, HEARD), ("a", 3, HEARD))
    relays.start()
    until(lambda: len(undeliverable(outbox)) == 3 and all_published(outbox))
    with outbox.connect() as connection:
        operations.skip(connection, gone, Operator("alice", "nobody needs it"))
    until(lambda: undeliverable(outbox) == [])
    announce_each(outbox, ("a", 4, UNBOUND), ("a", 5, HEARD), ("b", 1, HEARD))
    until(lambda: all_published(outbox))
    assert heard(broker) == [("a", 2), ("a", 3), ("b", 1)]
    assert undeliverable(outbox) == [("a", 4, "returned"), ("a", 5, "waits")]
    kept = "select refused_by, action, message_id, actor, reason, error, body from parked_actions"
    assert outbox.rows(kept) == [("broker", "skip", gone, "alice", "nobody needs it", "returned", b"{}")]


SMALL_TABLE = """
from ordersaga.relay import daemon as __main__
from ordersaga.relay import undeliverable
undeliverable.MAX_ROWS = 50
__main__.main(["counting"])
"""


def test_a_relay_holds_when_too_much_is_undeliverable_and_goes_on_when_there_is_room(
    outbox: Database, broker: TestBroker, relays: Relays
) -> None:
    announce_each(outbox, *((str(key), 0, UNBOUND) for key in range(60)))
    relay = relays.start(script=SMALL_TABLE)
    until(lambda: all_published(outbox))
    announce_each(outbox, ("after", 0, HEARD), *((str(key), 1, HEARD) for key in range(60)))
    until(lambda: "nothing new is published" in relay.log())
    assert not all_published(outbox)
    assert undeliverable(outbox) == [(str(key), 0, "returned") for key in range(60)]
    bind(broker, UNBOUND)
    retry_all(outbox)
    until(lambda: all_published(outbox) and not undeliverable(outbox))
    messages = listen(broker)
    assert len(messages) == 121
    assert_in_order_per_key(messages)


def test_looking_for_what_is_due_and_for_what_follows_goes_by_index(outbox: Database) -> None:
    fill = """
        insert into undeliverable (message_id, position, contract, source, key, sequence, time, event_hash,
            correlation_id, actor, traceparent, tracestate, body, kind, reason, attempts)
        select gen_random_uuid(), n, 'test.happened.v1', 'test', n % 9, n, now(), '', gen_random_uuid(), '', '', '',
            repeat('x', 500), 'waits', '', 0 from generate_series(1, 10000) as n returning message_id
    """
    outbox.rows(fill)
    with session.connect(outbox.relay_url) as connection:
        session.prepare(connection, unsafe_durability=False)
        found = table.Undeliverable("counting", connection)
        assert (found.count, len(found.keys)) == (10_000, 9)
        due = found.due(lambda key: key == "0", at_most=100, largest=500, budget=50_000)
        assert [row.position for row in due] == list(range(1, 9))
        found.delivered(due[:2])
        assert [row.position for row in found.due(lambda _: False, 100, 500, budget=999)] == [10]
        assert [row.position for row in found.due(lambda _: False, 100, 500, budget=999)] == [11]
        for statement, parameters in (
            (table.HEADS, {}),
            (table.ROWS, {"positions": [1], "largest": 500, "budget": 500}),
            (table.DELIVERED, {"keys": ["1"], "positions": [1]}),
        ):
            plan = plan_of(connection, statement, parameters)
            assert "Seq Scan" not in plan
            assert "undeliverable_key" in plan or "undeliverable_pkey" in plan


def write(outbox: Database, seed: int) -> None:
    """Announce for keys of its own, any contract, in transactions of every size."""
    choice = random.Random(seed)
    sequences = dict.fromkeys((f"{seed}-{number}" for number in range(8)), 0)
    for _ in range(60):
        messages = []
        for key in choice.choices(list(sequences), k=choice.randint(1, 8)):
            messages.append((key, sequences[key], choice.choice((HEARD, HEARD, UNBOUND, FULL))))
            sequences[key] += 1
        announce_each(outbox, *messages)


def disturb(outbox: Database, broker: TestBroker, relays: Relays, seed: int, over: threading.Event) -> None:
    """Refuse and take, retry, and kill the relay, in any order, until it is over."""
    choice = random.Random(seed)
    while not over.is_set():
        match choice.randrange(6):
            case 0:
                bind(broker, UNBOUND)
            case 1:
                unbind(broker, UNBOUND)
            case 2:
                fill_up(broker)
            case 3:
                make_room(broker)
            case 4:
                retry_all(outbox)
            case 5:
                relays.processes[-1].kill()
                relays.wait_for_leader(relays.start())
        over.wait(choice.random() * 0.3)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_refused_and_whenever_the_relay_dies_nothing_is_lost_and_each_key_is_in_order(
    outbox: Database, broker: TestBroker, relays: Relays, seed: int
) -> None:
    over = threading.Event()
    bind(broker, FULL)
    relays.wait_for_leader(relays.start())
    with ThreadPoolExecutor(4) as pool:
        disturbing = pool.submit(disturb, outbox, broker, relays, seed, over)
        writing = [pool.submit(write, outbox, 10 * seed + number) for number in range(3)]
        try:
            for done in writing:
                done.result()
            until(lambda: len(relays.processes) > 2, seconds=30)
        finally:
            over.set()
        disturbing.result()
    make_room(broker)
    bind(broker, UNBOUND)
    retry_all(outbox)
    until(lambda: all_published(outbox) and not undeliverable(outbox), seconds=60)
    messages = first_copies(listen(broker))
    assert {message.id for message in messages} == {id_ for (id_,) in outbox.rows("select message_id from outbox")}
    assert_in_order_per_key(messages)
