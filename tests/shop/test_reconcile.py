"""What reconcile promises: finished orders are clean, and whatever somebody took away or added is named."""

import json
import os
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Timer
from typing import ClassVar
from uuid import uuid4

import pytest
from click.testing import CliRunner

from contracts.contract import Contract
from contracts.orders import OrderConfirmed
from devstack.cli import main
from inventory_service.commands import receive_stock
from order_service.announcements import announcements as order_announcements
from order_service.commands import UnpricedLine, put_product
from order_service.product import Product, product_id
from ordersaga.cli import live_line
from ordersaga.consumer.receiver import Receiver
from ordersaga.envelope.message import Cause, Message, to_headers, to_properties
from ordersaga.inbox.delivery import Delivery
from ordersaga.inbox.reactor import Reactor
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
from shop import services
from tests.shop.support.reconciled_shop import Shop
from tests.shop.support.saga_on_postgres import open_shop, parties_on_postgres
from tests.support.databases import Databases

ROOT = Path(__file__).parents[2]


class ByItself(Contract):
    NAME: ClassVar[str] = "orders.said_by_itself.v1"
    SOURCE: ClassVar[str] = "order_service"
    KEY: ClassVar[str] = "sku"
    sku: str


@pytest.fixture
def empty_shop(database: Databases) -> Iterator[Shop]:
    parties = parties_on_postgres(database)
    yield Shop(parties, database("projections"), open_shop(parties))
    for party in parties.values():
        party.close()


@pytest.fixture
def shop(empty_shop: Shop) -> Shop:
    empty_shop.trade()
    return empty_shop


def test_finished_orders_are_clean(shop: Shop) -> None:
    found: list[ReconcileFinding] = []
    totals = Reconciliation(services, shop.urls, found.append, patience=0).run()
    assert found == []
    assert totals.events > 30
    assert totals.messages == sum(len(party.said_after(0)) for party in shop.parties.values())


def test_a_row_deleted_from_an_outbox_is_named(shop: Shop) -> None:
    gone = shop.message("payment_service", "payments.payment_captured.v1")
    shop.by_hand("payment_service", "delete from outbox where message_id = %s returning 1", (gone.id,))
    [found] = shop.findings()
    assert (found.kind, found.place, found.message_id) == ("missing", "payment_service.outbox", gone.id)
    assert (found.contract, found.key) == (gone.contract, gone.key)
    assert shop.findings(retention=timedelta(0)) == []


def test_a_row_deleted_from_an_inbox_is_named(shop: Shop) -> None:
    gone = shop.message("order_service", "orders.order_placed.v1")
    shop.by_hand("inventory_service", "delete from inbox where message_id = %s returning 1", (gone.id,))
    [found] = shop.findings()
    assert (found.kind, found.place, found.message_id) == ("missing", "inventory_service.inbox", gone.id)
    assert "reservation.reserved" in found.detail


def test_what_an_inbox_has_forgotten_after_its_retention_is_no_finding(shop: Shop) -> None:
    gone = shop.message("order_service", "orders.order_placed.v1")
    shop.by_hand("inventory_service", "delete from inbox where message_id = %s returning 1", (gone.id,))
    assert shop.findings(inbox_retention=timedelta(0)) == []
    assert len(shop.findings(inbox_retention=timedelta(hours=1))) == 1


def test_a_row_deleted_from_the_event_log_is_named(shop: Shop) -> None:
    gone = shop.message("inventory_service", "inventory.stock_shipped.v1")
    shop.by_hand("projections", "delete from event_log where message_id = %s returning 1", (gone.id,))
    assert shop.named() == [("missing", "projections.event_log", gone.id)]


def test_an_event_deleted_from_inside_a_stream_leaves_a_gap_that_is_named(shop: Shop) -> None:
    order = shop.saga.orders[0]
    delete = "delete from stored_events where originator_id = %s and originator_version = 1 returning 1"
    shop.by_hand("payment_service", delete, (order,))
    [found] = shop.findings()
    assert (found.kind, found.place) == ("missing", "payment_service.stored_events")
    assert found.detail == f"payment.captured, version 2 of {order}: version 1 is not there, before this one"


def test_an_event_deleted_from_the_end_of_a_stream_leaves_a_message_that_nothing_explains(shop: Shop) -> None:
    order = shop.saga.orders[0]
    shop.by_hand(
        "payment_service",
        "delete from stored_events where originator_id = %s and topic = 'payment.captured' returning 1",
        (order,),
    )
    captured = next(m for m in shop.messages_of(order) if m.source == "payment_service")
    assert shop.named() == [("unexpected", "payment_service.outbox", captured.id)]


def announce_by_itself(shop: Shop, key: str) -> Message:
    """A message of the order service that no event explains, received by the read side."""
    with shop.parties["order_service"].database.connect() as connection, connection.transaction():
        return announce(connection, ByItself(sku=key))


def test_a_message_without_an_event_is_unexpected_unless_its_service_names_the_contract_as_such(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = announce_by_itself(shop, "cup")
    shop.log()
    assert shop.named() == [("unexpected", "order_service.outbox", message.id)]
    monkeypatch.setitem(order_announcements.without_events, ByItself.NAME, ByItself)
    assert shop.findings() == []


def test_a_message_without_an_event_is_no_finding_when_its_row_was_trimmed_and_one_when_nobody_got_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(order_announcements.without_events, ByItself.NAME, ByItself)
    announce_by_itself(shop, "cup")
    shop.log()
    shop.by_hand("order_service", "delete from outbox where contract = %s returning 1", (ByItself.NAME,))
    assert shop.findings() == []
    lost = announce_by_itself(shop, "saucer")
    assert shop.named() == [("missing", "projections.event_log", lost.id)]


def test_a_contract_that_an_event_announces_stays_unexpected_without_one(shop: Shop) -> None:
    with shop.parties["order_service"].database.connect() as connection, connection.transaction():
        announced = announce(connection, OrderConfirmed(order_id=uuid4()))
    shop.log()
    assert ("unexpected", "order_service.outbox", announced.id) in shop.named()


def test_an_event_altered_by_hand_breaks_its_chain(shop: Shop) -> None:
    order = shop.saga.orders[0]
    update = (
        "update stored_events set actor = 'mallory' where originator_id = %s and originator_version = 1 returning 1"
    )
    shop.by_hand("order_service", update, (order,))
    [found] = shop.findings()
    assert (found.kind, found.place, found.key) == ("altered", "order_service.stored_events", str(order))


def test_a_message_that_nobody_announced_is_named_where_it_stands(shop: Shop) -> None:
    forged = uuid4()
    insert = "insert into inbox (message_id, contract, source, event_hash) values (%s, 'x', 'y', '') returning 1"
    shop.by_hand("order_service", insert, (forged,))
    copy = """
        insert into outbox (message_id, contract, source, key, sequence, time, event_hash, correlation_id, actor,
            traceparent, tracestate, body)
        select gen_random_uuid(), contract, source, key, sequence, time, event_hash, correlation_id, actor, '', '', body
        from outbox where contract = 'orders.product_priced.v1' returning message_id
    """
    [(announced,)] = shop.by_hand("order_service", copy)
    assert shop.named() == [
        ("missing", "projections.event_log", announced),
        ("unexpected", "order_service.inbox", forged),
        ("unexpected", "order_service.outbox", announced),
    ]


def test_an_undeliverable_message_is_named_with_its_reason_and_is_not_called_missing(shop: Shop) -> None:
    refused = shop.message("inventory_service", "inventory.stock_shipped.v1")
    copy = """
        insert into undeliverable (message_id, position, contract, source, key, sequence, time, event_hash,
            correlation_id, actor, traceparent, tracestate, body, kind, reason, attempts)
        select message_id, position, contract, source, key, sequence, time, event_hash, correlation_id, actor,
            traceparent, tracestate, body, 'returned', '312 NO_ROUTE', 3 from outbox where message_id = %s returning 1
    """
    shop.by_hand("inventory_service", copy, (refused.id,))
    assert shop.findings() == []
    shop.by_hand("projections", "delete from event_log where message_id = %s returning 1", (refused.id,))
    [found] = shop.findings()
    assert (found.kind, found.place, found.message_id) == (
        "undeliverable",
        "inventory_service.undeliverable",
        refused.id,
    )
    assert "projections waits; returned: 312 NO_ROUTE" in found.detail


def test_a_message_that_took_effect_twice_is_named(shop: Shop) -> None:
    """Somebody deletes the inbox row, and the broker delivers again: stock comes in for what was cancelled."""
    again = shop.message("order_service", "orders.order_placed.v1")
    party = shop.parties["inventory_service"]
    shop.by_hand("inventory_service", "delete from inbox where message_id = %s returning 1", (again.id,))
    party.react(again)
    assert shop.findings() == []
    with party.connection.transaction():
        transaction = Transaction(party.connection, party.announcements, again.caused_by_this())
        receive_stock(transaction, shop.saga.sku("cup"), 1)
        transaction.flush()
    shop.log()
    [found] = shop.findings()
    assert (found.kind, found.place, found.message_id) == ("duplicated", "inventory_service.stored_events", again.id)
    assert "2 transactions" in found.detail


def test_an_effect_whose_cause_nobody_announced_is_named(shop: Shop) -> None:
    cause = uuid4()
    party = shop.parties["order_service"]
    with party.connection.transaction():
        transaction = Transaction(party.connection, party.announcements, Cause(uuid4(), cause, "mallory"))
        put_product(transaction, "pot", "pot", 1, "EUR")
        transaction.flush()
    shop.log()
    assert shop.named() == [("unexpected", "order_service.stored_events", cause)]


def park(shop: Shop, group: str, message: Message, state: str) -> None:
    headers = to_properties(message).headers
    delivery = Delivery(0, message.routing_key, headers, message.body.encode())
    failure = Failure("ValueError", "somewhere", "it would not", "")
    with shop.parties[group].database.connect() as connection:
        append(connection, [NewlyParked(message.id, message.key, message.contract, delivery, state, failure, 8)])


def test_a_parked_message_is_named_with_its_reason_and_is_not_called_missing(shop: Shop) -> None:
    parked = shop.message("order_service", "orders.order_confirmed.v1")
    shop.by_hand("inventory_service", "delete from inbox where message_id = %s returning 1", (parked.id,))
    park(shop, "inventory_service", parked, "dead")
    [found] = shop.findings()
    assert (found.kind, found.place, found.message_id) == ("parked", "inventory_service.parked_messages", parked.id)
    assert found.detail == "dead, ValueError: it would not"
    shop.parties["inventory_service"].react(parked)
    assert shop.named() == [("parked", "inventory_service.parked_messages", parked.id)]


def test_an_unreadable_message_is_named_as_parked_although_it_is_parked_under_another_id(shop: Shop) -> None:
    announced = shop.message("order_service", "orders.order_confirmed.v1")
    shop.by_hand("inventory_service", "delete from inbox where message_id = %s returning 1", (announced.id,))
    receive(shop, "inventory_service", Delivery(0, announced.routing_key, to_headers(announced), b"{}"))
    [found] = shop.findings()
    assert (found.kind, found.place, found.message_id) == ("parked", "inventory_service.parked_messages", announced.id)
    assert found.detail.startswith("dead, UnreadableMessage: the body is not a orders.order_confirmed.v1")


def test_a_forgery_in_its_name_does_not_hide_that_a_message_is_missing(shop: Shop) -> None:
    announced = shop.message("order_service", "orders.order_confirmed.v1")
    shop.by_hand("inventory_service", "delete from inbox where message_id = %s returning 1", (announced.id,))
    forged = {**to_headers(announced), "ce-source": "payment_service"}
    receive(shop, "inventory_service", Delivery(0, announced.routing_key, forged, announced.body.encode()))
    assert {found.kind for found in shop.findings() if found.message_id == announced.id} == {"missing"}


def receive(shop: Shop, group: str, delivery: Delivery) -> None:
    party = shop.parties[group]
    receiver = Receiver(group, Reactor(party.reactions, party.announcements))
    with party.database.connect() as connection:
        receiver.receive(connection, receiver.read([delivery]))


def test_what_a_person_skipped_is_no_finding(shop: Shop) -> None:
    """A fork stands under an id that nobody announced, and leaves it in the inbox."""
    announced = shop.message("order_service", "orders.order_confirmed.v1")
    shop.by_hand("inventory_service", "delete from inbox where message_id = %s returning 1", (announced.id,))
    fork = replace(announced, id=uuid4())
    for message in (announced, fork):
        park(shop, "inventory_service", message, "dead")
    assert {(f.kind, f.message_id) for f in shop.findings()} == {("parked", announced.id), ("parked", fork.id)}
    with shop.parties["inventory_service"].database.connect() as connection:
        for message in (announced, fork):
            skip(connection, message.id, Operator("alice", "seen to by hand"))
    assert shop.findings() == []


def test_a_received_message_that_announces_another_event_is_named(shop: Shop) -> None:
    forked = shop.message("payment_service", "payments.payment_captured.v1")
    shop.by_hand("order_service", "update inbox set event_hash = '' where message_id = %s returning 1", (forked.id,))
    assert shop.named() == [("altered", "order_service.inbox", forked.id)]


def test_what_is_under_way_is_waited_for_and_only_then_a_finding(shop: Shop) -> None:
    shop.saga.place([UnpricedLine("cup", 1)], "pm_card_visa")
    shop.log()
    waiting = shop.findings()
    assert {found.kind for found in waiting} == {"missing"}
    assert "neither received nor parked" in waiting[0].detail

    def arrive() -> None:
        shop.saga.settle()
        shop.log()

    arrival = Timer(0.5, arrive)
    arrival.start()
    try:
        found = shop.findings(patience=20)
    finally:
        arrival.join()
    assert found == []


def test_one_order_or_one_hour_can_be_looked_at_alone(shop: Shop) -> None:
    first, second = (shop.messages_of(order)[0].id for order in shop.saga.orders[:2])
    for gone in (first, second):
        shop.by_hand("projections", "delete from event_log where message_id = %s returning 1", (gone,))
    assert shop.named(key=shop.saga.orders[0]) == [("missing", "projections.event_log", first)]
    assert shop.named(key=shop.saga.orders[1]) == [("missing", "projections.event_log", second)]
    assert shop.named(key=shop.saga.orders[3]) == []
    assert len(shop.named(since=datetime.now(UTC) - timedelta(hours=1))) == 2
    assert shop.named(since=datetime.now(UTC) + timedelta(hours=1)) == []


def run(shop: Shop, *arguments: str) -> subprocess.CompletedProcess[str]:
    urls = {url_variable(name): url for name, url in shop.urls.items()}
    environment = {**os.environ, **urls, "AMQP_URL": "amqp://nobody@127.0.0.1:1/none"}
    command = [sys.executable, "-m", "devstack", "reconcile", "--patience", "0", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)


def test_the_command_says_clean_with_exit_code_0_and_names_findings_with_exit_code_1(shop: Shop) -> None:
    clean = run(shop, "--json")
    assert clean.returncode == 0, clean.stderr
    assert json.loads(clean.stdout)["clean"] is True
    assert json.loads(clean.stdout)["findings"] == []
    gone = shop.message("order_service", "orders.order_confirmed.v1")
    shop.by_hand("projections", "delete from event_log where message_id = %s returning 1", (gone.id,))
    found = run(shop, "--json", "--key", gone.key)
    assert found.returncode == 1, found.stderr
    [finding] = json.loads(found.stdout)["findings"]
    assert (finding["kind"], finding["message_id"]) == ("missing", str(gone.id))
    said = run(shop, "--since", "2020-01-01")
    assert said.returncode == 1
    assert said.stdout.startswith(f"missing in projections.event_log: {gone.contract} {gone.id} of {gone.key}: ")
    assert run(shop, "--since", "yesterday").returncode == 2
    stranger = run(shop, "--key", str(uuid4()))
    assert (stranger.returncode, stranger.stdout) == (1, "")
    assert "Nothing is known of key" in stranger.stderr


def test_a_refund_that_failed_is_named_until_it_is_made(empty_shop: Shop) -> None:
    shop = empty_shop
    shop.saga.receive_stock("cup", 1)
    order_id = shop.saga.place([UnpricedLine("cup", 1)], "pm_sim_disputed")
    shop.saga.settle()
    shop.saga.cancel(order_id)
    shop.saga.settle()
    shop.log()
    [finding] = shop.findings()
    assert (finding.kind, finding.place, finding.key) == ("unsettled", "payment_service.stored_events", str(order_id))
    assert "has failed (charge_disputed)" in finding.detail
    assert shop.findings(key=order_id) == [finding]
    assert shop.findings(key=uuid4()) == []
    shop.saga.retry_refund(order_id)
    shop.saga.settle()
    shop.log()
    assert shop.findings() == []


def test_progress_is_told_on_stderr_and_only_goes_forward(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_line, "PRINT_INTERVAL_SECONDS", -1)
    monkeypatch.setattr(reconcile, "STEP", 1)
    urls = {url_variable(name): url for name, url in shop.urls.items()}
    command = ["reconcile", "--patience", "0", "--json"]
    said = CliRunner().invoke(main, command, env={**urls, "AMQP_URL": "amqp://nobody@127.0.0.1:1/none"})
    totals = json.loads(said.stdout)
    steps = re.findall(r"(\d+) events read, (\d+) messages compared", said.stderr)
    told = [(int(events), int(messages)) for events, messages in steps]
    assert told == sorted(told)
    assert told[0] == (1, 0)
    assert told[-1] == (totals["events"], totals["messages"])


def test_ten_thousand_events_are_compared_in_bounded_memory(empty_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """In sorted runs of 1,000 they peak at 4.3 MB, in one of 10,000 at 6 MB; make chaos compares fifty thousand."""
    monkeypatch.setattr(sorted_runs, "RUN", 1_000)
    assert peak_of_comparing(empty_shop, batches=10) < 5_000_000


def peak_of_comparing(shop: Shop, batches: int) -> int:
    """Bytes that a comparison of so many thousand events takes at most; what is missing in the event log is named."""
    party = shop.parties["order_service"]
    for batch in range(batches):
        party.decide(partial(put_prices, batch=batch))
    shop.log()
    gone = shop.by_hand("projections", "delete from event_log where key like 'p 7.%%' returning message_id")
    found: list[ReconcileFinding] = []
    reconciliation = Reconciliation(services, shop.urls, found.append, patience=0)
    tracemalloc.start()
    try:
        totals = reconciliation.run()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (totals.events, totals.messages) == (batches * 1_000, batches * 1_000)
    assert sorted((f.message_id,) for f in found if f.message_id) == sorted(gone)
    assert len(gone) == 1_000
    return peak


def put_prices(transaction: Transaction, batch: int) -> None:
    """A hundred products, each priced ten times."""
    for number in range(100):
        sku = f"p {batch}.{number}"
        product = Product(id=product_id(sku), sku=sku, name=sku, unit_price=1, currency="EUR")
        for price in range(2, 11):
            product.change(sku, price, "EUR")
        transaction.save(product)
