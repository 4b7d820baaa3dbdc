"""What a new version of a contract promises: in whatever order it is rolled out, every message takes effect once."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import Connection
from psycopg.types.json import Jsonb

from ordersaga.broker import provisioning
from ordersaga.broker.bound_contracts import bound_contracts
from ordersaga.broker.topology import EVENTS, Group
from ordersaga.consumer.receiver import Receiver
from ordersaga.database.migrate import migrate
from ordersaga.envelope.message import Cause, Message, partition_of
from ordersaga.envelope.versions import read_as
from ordersaga.inbox.reactor import Reactor
from ordersaga.parked import dry_run, operations
from ordersaga.parked.retries import Retries
from ordersaga.readside import event_log
from ordersaga.readside.rebuild.findings import RebuildFinding
from ordersaga.readside.rebuild.rebuild import Rebuild
from ordersaga.reconcile.receivers import Receivers
from ordersaga.store import republish
from ordersaga.store.transaction import Transaction, decide
from ordersaga.webhooks.collecting import Feed, collect
from ordersaga.webhooks.subscriptions import statuses
from tests.support import counted_versions, counting
from tests.support.broker import TestBroker
from tests.support.counted_versions import CountedV2, CountedV3, CountKeptV2
from tests.support.counting import GROUP, Counted, Counter, CountKept
from tests.support.counting_read_side import TABLE
from tests.support.databases import Database, Databases
from tests.support.parking import ALICE, NoSteps, delivery, numbers
from tests.support.party import SAID, message_of
from tests.support.wait import until
from tests.support.webhook_receiver import receiving
from tests.support.webhooks import Webhooks, webhooks_on
from tests.support.workers import counted

old = Reactor(counting.reactions, counting.announcements)
new = Reactor(counted_versions.reactions, counted_versions.announcements)


@pytest.fixture
def store(database: Databases) -> Database:
    return database(GROUP)


@pytest.fixture
def connection(store: Database) -> Iterator[Connection[Any]]:
    with store.connect() as connection:
        yield connection


def arrive(connection: Connection[Any], known: Reactor, *messages: Message) -> None:
    """As a worker does, one by one."""
    receiver = Receiver(GROUP, known)
    for message in messages:
        receiver.receive(connection, receiver.read([delivery(message)]))


def attempt(connection: Connection[Any], known: Reactor, steps: int = 4) -> None:
    retries = Retries(known, NoSteps())  # type: ignore[arg-type]
    for _ in range(steps):
        retries.step(connection)


def as_version(contract: type[Any], message: Message) -> Message:
    """The message as a service announces it that has this version."""
    body = read_as(contract, message.contract, message.body).model_dump_json()
    return replace(message, contract=contract.NAME, body=body)


def parked(connection: Connection[Any], columns: str = "contract, state, error") -> list[tuple[Any, ...]]:
    return connection.execute(f"select {columns} from parked_messages order by position").fetchall()  # noqa: S608


def test_a_new_consumer_handles_old_and_new_messages_in_order_and_each_once(connection: Connection[Any]) -> None:
    counter = uuid4()
    first, second, third = (counted(counter, number) for number in (1, 2, 3))
    sent = [first, as_version(CountedV2, second), as_version(CountedV3, third)]
    arrive(connection, new, *sent)
    arrive(connection, new, as_version(CountedV3, first), second, third)
    assert numbers(connection, counter) == [1, 2, 3]
    assert parked(connection) == []
    assert connection.execute("select contract from inbox order by contract").fetchall() == [
        (Counted.NAME,),
        (CountedV2.NAME,),
        (CountedV3.NAME,),
    ]


def test_an_old_consumer_holds_what_is_newer_than_itself_until_the_new_one_runs(connection: Connection[Any]) -> None:
    counter, other = uuid4(), uuid4()
    first, second, third = (counted(counter, number) for number in (1, 2, 3))
    arrive(connection, old, first, as_version(CountedV2, second), third, counted(other, 1))
    assert parked(connection) == [(CountedV2.NAME, "retrying", "UnknownContract"), (Counted.NAME, "waiting", "")]
    assert numbers(connection, other) == [1]
    attempt(connection, old)
    assert len(parked(connection)) == 2
    attempt(connection, new)
    assert parked(connection) == []
    assert numbers(connection, counter) == [1, 2, 3]


def test_a_parked_message_of_an_old_version_is_tried_run_dry_and_edited_as_what_it_is(
    connection: Connection[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("COUNTING_SWITCHES", str(tmp_path))
    counter = uuid4()
    message = counted(counter, 1)
    counting.Switches(tmp_path).set(counter, "fail")
    arrive(connection, old, message)
    run = dry_run.dry_run(connection, message.id, new)
    assert run.failure is None
    assert dict(run.rows)["outbox"]["contract"] == CountKeptV2.NAME
    newer = CountedV3(counter_id=counter, thousandths=5000, unit="piece").model_dump_json().encode()
    with pytest.raises(Exception, match=r"the body is not a test\.counted\.v1"):
        operations.edit(connection, message.id, newer, new.contracts, ALICE)
    operations.edit(connection, message.id, counted(counter, 5).body.encode(), new.contracts, ALICE)
    attempt(connection, new)
    assert numbers(connection, counter) == [5]


def test_a_parked_message_counts_as_parked_in_whatever_version_it_is_asked_for(connection: Connection[Any]) -> None:
    counter = uuid4()
    arrive(connection, old, as_version(CountedV2, counted(counter, 1)))
    transaction = Transaction(connection, counting.announcements, Cause(uuid4()))
    assert all(transaction.is_parked(version, str(counter)) for version in (Counted, CountedV2, CountedV3))
    assert not transaction.is_parked(CountKept, str(counter))


def keep(transaction: Transaction, counter: UUID, number: int) -> None:
    found = transaction.find(Counter, counter) or Counter(id=counter)
    found.keep(number)
    transaction.save(found)


def said(connection: Connection[Any], after: int = 0) -> list[Message]:
    return [message_of(*row) for row in connection.execute(SAID, (after,))]


def announce_again(store: Database, announcements: Any) -> None:
    with store.connect() as reading, store.connect() as writing:
        assert list(republish.announce_again(reading, writing, announcements)) == [(2, 1)]


def test_an_event_announced_again_by_newer_code_is_still_the_same_message(
    store: Database, connection: Connection[Any]
) -> None:
    decide(connection, counting.announcements, Cause(uuid4()), partial(keep, counter=uuid4(), number=1))
    announce_again(store, counted_versions.announcements)
    before, after = said(connection)
    assert (before.id, before.event_hash) == (after.id, after.event_hash)
    assert (before.contract, after.contract) == (CountKept.NAME, CountKeptV2.NAME)


def test_who_reacts_to_any_version_must_have_received_all(store: Database) -> None:
    receivers = Receivers([counting.service, counted_versions.read_side])
    assert receivers.of(CountedV3.NAME, "test") == [GROUP]
    assert receivers.of(CountKeptV2.NAME, GROUP) == ["kept"]


def test_a_queue_that_an_older_library_bound_to_one_version_gets_all_and_each_once(broker: TestBroker) -> None:
    older = Group(GROUP, (Counted.NAME,), 1)
    broker.remember(older)
    provisioning.declare(broker.url, {GROUP: lambda _: older}, None)
    now = counting.service.consumer_group(1)
    provisioning.declare(broker.url, {GROUP: lambda _: now}, None)
    assert provisioning.stale_bindings(broker.url, [now]) == {}
    place = f"{partition_of('key'):02d}"
    with broker.channel() as channel:
        assert bound_contracts(channel.connection, GROUP) == {"test.asked.*", "test.counted.*"}
        channel.confirm_delivery()
        for contract in (Counted.NAME, CountedV2.NAME):
            channel.basic_publish(EVENTS, f"{contract}.{place}", contract.encode(), mandatory=True)
    until(lambda: broker.depth(f"{GROUP}.0") == 2)


@pytest.fixture
def kept(store: Database) -> Database:
    """The database of the counting service, with a read side in it: one event announced by old code, one by new."""
    counter = uuid4()
    with store.connect() as connection:
        for number, announcements in ((1, counting.announcements), (2, counted_versions.announcements)):
            decide(connection, announcements, Cause(uuid4()), partial(keep, counter=counter, number=number))
        messages = said(connection)
    migrate(counted_versions.read_side.schema, store.owner_url)
    with psycopg.connect(store.owner_url) as owner:
        owner.execute(TABLE)
        event_log.lock(owner)
        positions = event_log.append(owner, messages)
        counted_versions.read_side.fold(owner, min(positions), max(positions))
    return store


def rebuild(store: Database, **options: Any) -> list[RebuildFinding]:
    found: list[RebuildFinding] = []
    urls = {GROUP: store.owner_url, "kept": store.owner_url}
    Rebuild(counted_versions.read_side, urls, found.append, patience=0, **options).run()
    return found


def test_views_fold_every_message_in_its_newest_version_and_the_log_keeps_what_was_received(kept: Database) -> None:
    assert kept.rows("select numbers from kept_view") == [(3000,)]
    received = [(CountKept.NAME, 1, None), (CountKeptV2.NAME, 2, 2000)]
    log = "select contract, (body -> 'number')::int, (body -> 'thousandths')::int from event_log order by position"
    assert kept.rows(log) == received
    assert rebuild(kept) == []
    assert kept.rows(log) == received
    assert kept.rows("select numbers from kept_view") == [(3000,)]


def test_a_rebuild_names_a_message_of_an_old_version_that_contradicts_its_event(kept: Database) -> None:
    with psycopg.connect(kept.owner_url, autocommit=True) as owner:
        change = "update event_log set body = body || %s where contract = %s"
        assert owner.execute(change, (Jsonb({"number": 9}), CountKept.NAME)).rowcount == 1
    [altered] = [found for found in rebuild(kept, dry_run=True) if found.table == "event_log"]
    assert (altered.kind, altered.columns) == ("differs", {"number": (9, 1)})


def test_a_long_range_is_folded_with_few_messages_to_upcast_at_once(
    kept: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ordersaga.readside.upcast_log.MOST", 1)
    with psycopg.connect(kept.owner_url, autocommit=True) as owner, closing(owner):
        owner.execute("truncate kept_view")
        counted_versions.read_side.fold(owner, 0, 1000)
    assert kept.rows("select numbers from kept_view") == [(3000,)]


@pytest.fixture
def webhooks(store: Database) -> Iterator[Webhooks]:
    yield from webhooks_on(store)


@pytest.mark.parametrize(
    ("named", "sent"),
    [
        ((CountKept.NAME,), [CountKept.NAME, CountKeptV2.NAME]),
        ((CountKeptV2.NAME,), [CountKeptV2.NAME, CountKeptV2.NAME]),
        (("test.*",), [CountKept.NAME, CountKeptV2.NAME]),
    ],
)
def test_a_webhook_of_one_version_is_sent_every_message(
    webhooks: Webhooks, named: tuple[str, ...], sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = Feed("kept", counted_versions.read_side.known_contracts, "", "")
    monkeypatch.setattr("tests.support.webhooks.SOURCE", feed)
    with receiving() as receiver:
        subscription = webhooks.add(receiver, events=named)
        first, second = (counted(uuid4(), number, CountKept) for number in (1, 2))
        webhooks.log(first, as_version(CountKeptV2, second))
        collect(webhooks.connection, statuses(webhooks.connection), feed)
        assert [each.type for each in webhooks.deliveries(subscription)] == sent
