"""What reconcile promises: what has arrived is clean, and whatever somebody took away or added is named."""

import json
import re
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Timer
from typing import ClassVar
from uuid import NAMESPACE_OID, UUID, uuid4, uuid5

import pytest
from click.testing import CliRunner, Result

from ordersaga.cli import live_line
from ordersaga.cli.app import Application
from ordersaga.cli.main import main
from ordersaga.consumer.receiver import Receiver
from ordersaga.envelope.contract import Contract
from ordersaga.envelope.message import Cause, Message
from ordersaga.inbox.delivery import Delivery
from ordersaga.parked.operations import skip
from ordersaga.parked.operator import Operator
from ordersaga.parked.table import NewlyParked, append
from ordersaga.reconcile import reconcile, sorted_runs
from ordersaga.reconcile.findings import ReconcileFinding
from ordersaga.reconcile.reconcile import Reconciliation
from ordersaga.runtime.errors import Failure
from ordersaga.runtime.settings import url_variable
from ordersaga.store.announce import announce
from ordersaga.store.transaction import Transaction
from tests.library.reconciled import LOG, TALLY, Reconciled, Tallied, Tally, announcements, reconciled, services, tally
from tests.support.counting import GROUP
from tests.support.databases import Databases
from tests.support.parking import delivery


class ByItself(Contract):
    NAME: ClassVar[str] = "tally.said_by_itself.v1"
    SOURCE: ClassVar[str] = TALLY
    KEY: ClassVar[str] = "name"
    name: str


@pytest.fixture
def empty(database: Databases) -> Iterator[Reconciled]:
    with reconciled(database) as found:
        yield found


@pytest.fixture
def arrived(empty: Reconciled) -> Reconciled:
    """Two counters, each with two numbers."""
    for _ in range(2):
        empty.count()
    empty.settle()
    return empty


def test_what_has_arrived_everywhere_is_clean(arrived: Reconciled) -> None:
    found: list[ReconcileFinding] = []
    totals = Reconciliation(services, arrived.urls, found.append, patience=0).run()
    assert found == []
    assert (totals.events, totals.messages) == (12, 8)


def test_a_row_deleted_from_an_outbox_is_named(arrived: Reconciled) -> None:
    gone = arrived.tally.said_after(0)[0]
    arrived.delete(TALLY, "outbox", gone)
    [found] = arrived.findings()
    assert (found.kind, found.place, found.message_id) == ("missing", "tally.outbox", gone.id)
    assert (found.contract, found.key) == (gone.contract, gone.key)
    assert arrived.findings(retention=timedelta(0)) == []


def test_a_row_deleted_from_an_inbox_is_named(arrived: Reconciled) -> None:
    gone = arrived.counting.said_after(0)[0]
    arrived.delete(TALLY, "inbox", gone)
    [found] = arrived.findings()
    assert (found.kind, found.place, found.message_id) == ("missing", "tally.inbox", gone.id)
    assert "tally.added" in found.detail


def test_what_an_inbox_has_purged_after_its_retention_is_no_finding(arrived: Reconciled) -> None:
    arrived.delete(TALLY, "inbox", arrived.counting.said_after(0)[0])
    assert arrived.findings(inbox_retention=timedelta(0)) == []
    assert len(arrived.findings(inbox_retention=timedelta(hours=1))) == 1


def test_a_row_deleted_from_the_event_log_is_named(arrived: Reconciled) -> None:
    gone = arrived.tally.said_after(0)[0]
    arrived.delete(LOG, "event_log", gone)
    assert arrived.named() == [("missing", "log.event_log", gone.id)]


def test_an_event_deleted_from_inside_a_stream_leaves_a_gap_that_is_named(arrived: Reconciled) -> None:
    counter = arrived.counters[0]
    delete = "delete from stored_events where originator_id = %s and originator_version = 1 returning 1"
    arrived.by_hand(TALLY, delete, (counter,))
    [found] = arrived.findings()
    assert (found.kind, found.place) == ("missing", "tally.stored_events")
    assert found.detail == f"tally.added, version 2 of {counter}: version 1 is not there, before this one"


def test_an_event_deleted_from_the_end_of_a_stream_leaves_a_message_that_nothing_explains(arrived: Reconciled) -> None:
    counter = arrived.counters[0]
    delete = "delete from stored_events where originator_id = %s and originator_version = 3 returning 1"
    arrived.by_hand(TALLY, delete, (counter,))
    last = [message for message in arrived.tally.said_after(0) if message.key == str(counter)][-1]
    assert arrived.named() == [("unexpected", "tally.outbox", last.id)]


def announce_by_itself(arrived: Reconciled, key: str) -> Message:
    """A message of the second service that no event explains."""
    with arrived.tally.database.connect() as connection, connection.transaction():
        return announce(connection, ByItself(name=key))


def test_a_message_without_an_event_is_unexpected_unless_its_service_names_the_contract_as_such(
    arrived: Reconciled, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = announce_by_itself(arrived, "cup")
    arrived.log_all()
    assert arrived.named() == [("unexpected", "tally.outbox", message.id)]
    monkeypatch.setitem(announcements.without_events, ByItself.NAME, ByItself)
    assert arrived.findings() == []


def test_a_message_without_an_event_is_no_finding_when_its_row_was_trimmed_and_one_when_nobody_got_it(
    arrived: Reconciled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(announcements.without_events, ByItself.NAME, ByItself)
    announce_by_itself(arrived, "cup")
    arrived.log_all()
    arrived.by_hand(TALLY, "delete from outbox where contract = %s returning 1", (ByItself.NAME,))
    assert arrived.findings() == []
    lost = announce_by_itself(arrived, "saucer")
    assert arrived.named() == [("missing", "log.event_log", lost.id)]


def test_a_contract_that_an_event_announces_stays_unexpected_without_one(arrived: Reconciled) -> None:
    with arrived.tally.database.connect() as connection, connection.transaction():
        announced = announce(connection, Tallied(tally_id=uuid4(), number=1))
    arrived.log_all()
    assert ("unexpected", "tally.outbox", announced.id) in arrived.named()


def test_an_event_altered_by_hand_breaks_its_chain(arrived: Reconciled) -> None:
    counter = arrived.counters[0]
    update = (
        "update stored_events set actor = 'mallory' where originator_id = %s and originator_version = 1 returning 1"
    )
    arrived.by_hand(GROUP, update, (counter,))
    [found] = arrived.findings()
    assert (found.kind, found.place, found.key) == ("altered", "counting.stored_events", str(counter))


def test_a_message_that_nobody_announced_is_named_where_it_stands(arrived: Reconciled) -> None:
    forged = uuid4()
    insert = "insert into inbox (message_id, contract, source, event_hash) values (%s, 'x', 'y', '') returning 1"
    arrived.by_hand(TALLY, insert, (forged,))
    copy = """
        insert into outbox (message_id, contract, source, key, sequence, time, event_hash, correlation_id, actor,
            traceparent, tracestate, body)
        select gen_random_uuid(), contract, source, key, sequence, time, event_hash, correlation_id, actor, '', '', body
        from outbox where sequence = 2 limit 1 returning message_id
    """
    [(announced,)] = arrived.by_hand(TALLY, copy)
    assert arrived.named() == [
        ("missing", "log.event_log", announced),
        ("unexpected", "tally.inbox", forged),
        ("unexpected", "tally.outbox", announced),
    ]


def test_an_undeliverable_message_is_named_with_its_reason_and_is_not_called_missing(arrived: Reconciled) -> None:
    refused = arrived.tally.said_after(0)[0]
    copy = """
        insert into undeliverable (message_id, position, contract, source, key, sequence, time, event_hash,
            correlation_id, actor, traceparent, tracestate, body, kind, reason, attempts)
        select message_id, position, contract, source, key, sequence, time, event_hash, correlation_id, actor,
            traceparent, tracestate, body, 'returned', '312 NO_ROUTE', 3 from outbox where message_id = %s returning 1
    """
    arrived.by_hand(TALLY, copy, (refused.id,))
    assert arrived.findings() == []
    arrived.delete(LOG, "event_log", refused)
    [found] = arrived.findings()
    assert (found.kind, found.place, found.message_id) == (
        "undeliverable",
        "tally.undeliverable",
        refused.id,
    )
    assert "log waits; returned: 312 NO_ROUTE" in found.detail


def test_a_message_that_took_effect_twice_is_named(arrived: Reconciled) -> None:
    """Somebody deletes the inbox row, and the broker delivers again: first without an effect, then with one."""
    again = arrived.counting.said_after(0)[0]
    arrived.delete(TALLY, "inbox", again)
    arrived.tally.react(again)
    assert arrived.findings() == []
    with arrived.tally.connection.transaction():
        transaction = Transaction(arrived.tally.connection, announcements, again.caused_by_this())
        add(transaction, arrived.counters[0])
        transaction.flush()
    arrived.log_all()
    [found] = arrived.findings()
    assert (found.kind, found.place, found.message_id) == ("duplicated", "tally.stored_events", again.id)
    assert "2 transactions" in found.detail


def add(transaction: Transaction, counter: UUID) -> None:
    tally = transaction.get(Tally, counter)
    tally.add(99)
    transaction.save(tally)


def test_an_effect_whose_cause_nobody_announced_is_named(arrived: Reconciled) -> None:
    cause = uuid4()
    with arrived.tally.connection.transaction():
        transaction = Transaction(arrived.tally.connection, announcements, Cause(uuid4(), cause, "mallory"))
        add(transaction, arrived.counters[0])
        transaction.flush()
    arrived.log_all()
    assert arrived.named() == [("unexpected", "tally.stored_events", cause)]


def park(arrived: Reconciled, message: Message, state: str = "dead") -> None:
    failure = Failure("ValueError", "somewhere", "it would not", "")
    with arrived.tally.database.connect() as connection:
        append(
            connection,
            [NewlyParked(message.id, message.key, message.contract, delivery(message), state, failure, 8)],
        )


def test_a_parked_message_is_named_with_its_reason_and_is_not_called_missing(arrived: Reconciled) -> None:
    parked = arrived.counting.said_after(0)[0]
    arrived.delete(TALLY, "inbox", parked)
    park(arrived, parked)
    [found] = arrived.findings()
    assert (found.kind, found.place, found.message_id) == ("parked", "tally.parked_messages", parked.id)
    assert found.detail == "dead, ValueError: it would not"
    arrived.tally.react(parked)
    assert arrived.named() == [("parked", "tally.parked_messages", parked.id)]


def test_an_unreadable_message_is_named_as_parked_although_it_is_parked_under_another_id(arrived: Reconciled) -> None:
    announced = arrived.counting.said_after(0)[0]
    arrived.delete(TALLY, "inbox", announced)
    receive(arrived, delivery(announced, b"{}"))
    [found] = arrived.findings()
    assert (found.kind, found.place, found.message_id) == ("parked", "tally.parked_messages", announced.id)
    assert found.detail.startswith("dead, UnreadableMessage: the body is not a test.count_kept.v1")


def test_a_forgery_in_its_name_does_not_hide_that_a_message_is_missing(arrived: Reconciled) -> None:
    announced = arrived.counting.said_after(0)[0]
    arrived.delete(TALLY, "inbox", announced)
    real = delivery(announced)
    receive(arrived, real._replace(headers={**real.headers, "ce-source": "mallory"}))
    assert {found.kind for found in arrived.findings() if found.message_id == announced.id} == {"missing"}


def receive(arrived: Reconciled, found: Delivery) -> None:
    """As the consumer of the second service does."""
    receiver = Receiver(TALLY, tally.handler())
    with arrived.tally.database.connect() as connection:
        receiver.receive(connection, receiver.read([found]))


def test_what_a_person_skipped_is_no_finding(arrived: Reconciled) -> None:
    """A fork stands under an id that nobody announced, and leaves it in the inbox."""
    announced = arrived.counting.said_after(0)[0]
    arrived.delete(TALLY, "inbox", announced)
    fork = replace(announced, id=uuid4())
    for message in (announced, fork):
        park(arrived, message)
    assert {(f.kind, f.message_id) for f in arrived.findings()} == {("parked", announced.id), ("parked", fork.id)}
    with arrived.tally.database.connect() as connection:
        for message in (announced, fork):
            skip(connection, message.id, Operator("alice", "seen to by hand"))
    assert arrived.findings() == []


def test_a_received_message_that_announces_another_event_is_named(arrived: Reconciled) -> None:
    forked = arrived.counting.said_after(0)[0]
    arrived.by_hand(TALLY, "update inbox set event_hash = '' where message_id = %s returning 1", (forked.id,))
    assert arrived.named() == [("altered", "tally.inbox", forked.id)]


def test_what_is_under_way_is_waited_for_and_only_then_a_finding(arrived: Reconciled) -> None:
    arrived.count()
    arrived.log_all()
    waiting = arrived.findings()
    assert {found.kind for found in waiting} == {"missing"}
    assert "neither received nor parked" in waiting[0].detail
    arrival = Timer(0.5, arrived.settle)
    arrival.start()
    try:
        found = arrived.findings(patience=20)
    finally:
        arrival.join()
    assert found == []


def test_one_key_or_one_hour_can_be_looked_at_alone(arrived: Reconciled) -> None:
    first, second = (
        next(message for message in arrived.tally.said_after(0) if message.key == str(counter))
        for counter in arrived.counters
    )
    untouched = arrived.count()
    arrived.settle()
    for gone in (first, second):
        arrived.delete(LOG, "event_log", gone)
    assert arrived.named(key=arrived.counters[0]) == [("missing", "log.event_log", first.id)]
    assert arrived.named(key=arrived.counters[1]) == [("missing", "log.event_log", second.id)]
    assert arrived.named(key=untouched) == []
    assert len(arrived.named(since=datetime.now(UTC) - timedelta(hours=1))) == 2
    assert arrived.named(since=datetime.now(UTC) + timedelta(hours=1)) == []


def run(arrived: Reconciled, *arguments: str, expect: int) -> Result:
    urls = {url_variable(name): url for name, url in arrived.urls.items()}
    command = ["reconcile", "--patience", "0", *arguments]
    done = CliRunner().invoke(main, command, env=urls, obj=Application(lambda: services))
    assert done.exit_code == expect, done.output
    return done


def test_the_command_says_clean_with_exit_code_0_and_names_findings_with_exit_code_1(arrived: Reconciled) -> None:
    clean = json.loads(run(arrived, "--json", expect=0).stdout)
    assert (clean["clean"], clean["findings"]) == (True, [])
    gone = arrived.tally.said_after(0)[0]
    arrived.delete(LOG, "event_log", gone)
    [finding] = json.loads(run(arrived, "--json", "--key", gone.key, expect=1).stdout)["findings"]
    assert (finding["kind"], finding["message_id"]) == ("missing", str(gone.id))
    said = run(arrived, "--since", "2020-01-01", expect=1).stdout
    assert said.startswith(f"missing in log.event_log: {gone.contract} {gone.id} of {gone.key}: ")
    run(arrived, "--since", "yesterday", expect=2)
    stranger = run(arrived, "--key", str(uuid4()), expect=1)
    assert stranger.stdout == ""
    assert "Nothing is known of key" in stranger.stderr


def test_progress_is_told_on_stderr_and_only_goes_forward(arrived: Reconciled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_line, "PRINT_INTERVAL_SECONDS", -1)
    monkeypatch.setattr(reconcile, "STEP", 1)
    said = run(arrived, "--json", expect=0)
    totals = json.loads(said.stdout)
    steps = re.findall(r"(\d+) events read, (\d+) messages compared", said.stderr)
    printed = [(int(events), int(messages)) for events, messages in steps]
    assert printed == sorted(printed)
    assert printed[0] == (1, 0)
    assert printed[-1] == (totals["events"], totals["messages"])


def test_ten_thousand_events_are_compared_in_bounded_memory(empty: Reconciled, monkeypatch: pytest.MonkeyPatch) -> None:
    """In sorted runs of 1,000 they peak at 4.3 MB, in one of 10,000 at 5.7 MB; make chaos compares fifty thousand."""
    monkeypatch.setattr(sorted_runs, "RUN", 1_000)
    assert peak_of_comparing(empty, batches=10) < 5_000_000


def peak_of_comparing(arrived: Reconciled, batches: int) -> int:
    """Bytes that a comparison of so many thousand events takes at most; what is missing in the event log is named."""
    for batch in range(batches):
        arrived.tally.decide(partial(add_many, batch=batch))
    arrived.log_all()
    keys = [str(id_of(7, number)) for number in range(100)]
    gone = arrived.by_hand(LOG, "delete from event_log where key = any(%s) returning message_id", (keys,))
    found: list[ReconcileFinding] = []
    reconciliation = Reconciliation(services, arrived.urls, found.append, patience=0)
    tracemalloc.start()
    try:
        totals = reconciliation.run()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (totals.events, totals.messages) == (batches * 1_000, batches * 900)
    assert sorted((f.message_id,) for f in found if f.message_id) == sorted(gone)
    assert len(gone) == 900
    return peak


def add_many(transaction: Transaction, batch: int) -> None:
    """A hundred tallies with ten events each."""
    for number in range(100):
        tally = Tally(id=id_of(batch, number))
        for count in range(1, 10):
            tally.add(count)
        transaction.save(tally)


def id_of(batch: int, number: int) -> UUID:
    return uuid5(NAMESPACE_OID, f"{batch}.{number}")
