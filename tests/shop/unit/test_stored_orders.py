"""The events of the shop: explicit topics, and orders of older versions that are still read."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from eventsourcing.domain import BaseAggregate, CanMutateAggregate

from inventory_service.reservation import Reservation
from inventory_service.stock import StockItem
from order_service.order import Order
from order_service.product import Product
from ordersaga.envelope.message import Cause
from ordersaga.store.aggregates import record
from ordersaga.store.hash_chain import GENESIS
from ordersaga.store.topics import mapper
from payment_service.announcements import announcements
from payment_service.payment import Payment

ID = UUID("01890000-0000-7000-8000-000000000001")
CAUSE = Cause(correlation_id=ID)
AGGREGATES: tuple[type[BaseAggregate[UUID]], ...] = (Order, Product, Payment, StockItem, Reservation)


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


def test_a_refund_of_before_there_were_parts_left_nothing() -> None:
    payment = Payment(ID)
    payment.capture("ch_1", 700, "EUR")
    payment.refund("re_1")
    rows = [*record(payment.collect_events(), GENESIS, CAUSE)]
    old = json.loads(rows[-1].stored.state)
    for later in ("class_version", "left"):
        del old[later]
    stored = [row.stored for row in rows[:-1]] + [replace(rows[-1].stored, state=json.dumps(old).encode())]
    found = None
    for each in stored:
        found = mapper.to_domain_event(each).mutate(found)
    assert isinstance(found, Payment)
    assert (found.state, found.refund_id, found.refunded, found.parts) == ("refunded", "re_1", 700, [])
    [announced] = announcements.messages(mapper.to_domain_event(stored[-1]), GENESIS, CAUSE)
    assert json.loads(announced.body)["left"] == 0
