"""Events as they are stored: explicit topics that import nothing, snapshots, and the hash chain."""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from eventsourcing.domain import BaseAggregate, CanMutateAggregate
from eventsourcing.persistence import StoredEvent

from inventory_service.reservation import Reservation
from inventory_service.stock import StockItem
from order_service.order import Order
from order_service.product import Product
from ordersaga.envelope.message import Cause
from ordersaga.store.aggregates import record, snapshot_of
from ordersaga.store.hash_chain import GENESIS, chain
from ordersaga.store.topics import UnknownTopic, mapper
from payment_service.payment import Payment

ID = UUID("01890000-0000-7000-8000-000000000001")
OTHER = UUID("01890000-0000-7000-8000-000000000002")
AGGREGATES: tuple[type[BaseAggregate[UUID]], ...] = (Order, Product, Payment, StockItem, Reservation)
STORED = StoredEvent(ID, 2, "order.confirmed", b'{"charge_id":"ch_1"}')
CAUSE = Cause(correlation_id=ID, causation_id=OTHER, actor="alice", traceparent="00-aa-bb-01")


def events_of(aggregate: type) -> Iterator[type]:
    for name, part in vars(aggregate).items():
        if isinstance(part, type) and issubclass(part, CanMutateAggregate) and name != "Event":
            yield part


EVENTS = [event for aggregate in AGGREGATES for event in events_of(aggregate)]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__qualname__)
def test_every_event_has_an_explicit_topic(event: type) -> None:
    topic = topic_of(event)
    kind, _, what = topic.partition(".")
    [owner] = [aggregate for aggregate in AGGREGATES if event in events_of(aggregate)]
    assert kind == topic_of(owner)
    assert what.isidentifier()
    assert ":" not in topic


def topic_of(kind: type) -> str:
    topic: str = getattr(kind, "TOPIC", "")
    return topic


def test_no_two_events_share_a_topic() -> None:
    topics = [topic_of(event) for event in EVENTS]
    assert len(topics) == len(set(topics))


@pytest.mark.parametrize(
    "topic",
    ["order.shredded", "order", "json.tool", "os:system", "order_service.order:Order.Placed", "this.that", "this"],
)
def test_an_unknown_topic_is_an_error_and_imports_nothing(topic: str) -> None:
    sys.modules.pop("this", None)
    before = set(sys.modules)
    with pytest.raises(UnknownTopic, match=topic):
        mapper.to_domain_event(StoredEvent(ID, 1, topic, b"{}"))
    assert set(sys.modules) == before


@pytest.mark.parametrize("topic", ["this:s", "json.tool", "order_service.order:Order"])
def test_an_unknown_aggregate_inside_an_event_imports_nothing(topic: str) -> None:
    [created] = Order(id=ID, customer="", lines=[], total=0, currency="", card="").collect_events()
    [row] = record([created], GENESIS, CAUSE)
    forged = replace(row.stored, state=row.stored.state.replace(b'"originator_topic":"order"', topic_json(topic)))
    assert forged != row.stored
    sys.modules.pop("this", None)
    before = set(sys.modules)
    with pytest.raises(UnknownTopic, match=topic):
        mapper.to_domain_event(forged)
    assert set(sys.modules) == before


def topic_json(topic: str) -> bytes:
    return f'"originator_topic":"{topic}"'.encode()


def test_an_unknown_aggregate_inside_a_snapshot_imports_nothing() -> None:
    payment = Payment(id=ID)
    payment.collect_events()
    snapshot = snapshot_of(payment)
    forged = replace(snapshot, state=snapshot.state.replace(b'"topic":"payment"', b'"topic":"this:s"'))
    assert forged != snapshot
    with pytest.raises(UnknownTopic, match="this:s"):
        mapper.to_domain_event(forged)


def test_an_order_placed_before_orders_told_their_deadline_is_still_read() -> None:
    [created] = Order(ID, "alice", [], 0, "EUR", "pm_card_visa").collect_events()
    [row] = record([created], GENESIS, CAUSE)
    old = json.loads(row.stored.state)
    for later in ("class_version", "complete_by", "contact"):
        del old[later]
    placed = mapper.to_domain_event(replace(row.stored, state=json.dumps(old).encode()))
    assert isinstance(placed, Order.Placed)
    assert (placed.customer, placed.complete_by, placed.contact) == ("alice", None, None)


def test_an_order_placed_before_orders_had_a_contact_is_still_read() -> None:
    complete_by = datetime(2026, 3, 1, 12, tzinfo=UTC)
    [created] = Order(ID, "alice", [], 0, "EUR", "pm_card_visa", complete_by).collect_events()
    [row] = record([created], GENESIS, CAUSE)
    old = json.loads(row.stored.state) | {"class_version": 2}
    del old["contact"]
    placed = mapper.to_domain_event(replace(row.stored, state=json.dumps(old).encode()))
    assert isinstance(placed, Order.Placed)
    assert (placed.complete_by, placed.contact) == (complete_by, None)


def test_an_aggregate_comes_back_from_its_snapshot_and_goes_on() -> None:
    payment = Payment(id=ID)
    payment.capture("ch_1", 700, "EUR")
    payment.collect_events()
    copy = mapper.to_domain_event(snapshot_of(payment)).mutate(None)
    assert isinstance(copy, Payment)
    assert (copy.id, copy.version, copy.state, copy.amount) == (ID, 2, "captured", 700)
    copy.refund("re_1")
    [event] = copy.collect_events()
    assert (event.originator_version, type(event)) == (3, Payment.Refunded)


def test_the_chain_of_an_event_never_changes() -> None:
    assert chain(GENESIS, STORED, CAUSE).hex() == "643d76540d9b7d9853447a73ab92f3e2d51a30a3ef85875faaaa630d1dfa4462"


@pytest.mark.parametrize(
    ("previous", "stored", "cause"),
    [
        (bytes(31) + b"\x01", STORED, CAUSE),
        (GENESIS, replace(STORED, originator_id=OTHER), CAUSE),
        (GENESIS, replace(STORED, originator_version=3), CAUSE),
        (GENESIS, replace(STORED, topic="order.cancelled"), CAUSE),
        (GENESIS, replace(STORED, state=b'{"charge_id":"ch_2"}'), CAUSE),
        (GENESIS, STORED, replace(CAUSE, correlation_id=OTHER)),
        (GENESIS, STORED, replace(CAUSE, causation_id=ID)),
        (GENESIS, STORED, replace(CAUSE, causation_id=None)),
        (GENESIS, STORED, replace(CAUSE, actor="mallory")),
        (GENESIS, replace(STORED, topic="order.confirme", state=b'd{"charge_id":"ch_1"}'), CAUSE),
    ],
    ids=["previous", "id", "version", "topic", "state", "correlation", "causation", "no cause", "actor", "shifted"],
)
def test_the_hash_changes_with_every_part_that_it_covers(previous: bytes, stored: StoredEvent, cause: Cause) -> None:
    assert chain(previous, stored, cause) != chain(GENESIS, STORED, CAUSE)


def test_each_event_of_a_stream_continues_the_hash_of_the_one_before() -> None:
    payment = Payment(id=ID)
    payment.capture("ch_1", 700, "EUR")
    first, second = record(payment.collect_events(), GENESIS, CAUSE)
    assert first.hash == chain(GENESIS, first.stored, CAUSE)
    assert second.hash == chain(first.hash, second.stored, CAUSE)
