"""Messages with quantities and amounts that no API accepts: nobody acts on them, and they hold up their own key."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg import Connection

from contracts.orders import OrderLine, OrderPlaced
from inventory_service.announcements import announcements
from inventory_service.commands import receive_stock
from inventory_service.reservation import Reservation
from inventory_service.service import inventory_service
from inventory_service.stock import StockItem, stock_item_id
from ordersaga.consumer.receiver import Receiver
from ordersaga.envelope.message import Cause, Message, message_id
from ordersaga.store.transaction import Transaction, decide
from projections.service import projections
from tests.support.databases import Databases
from tests.support.parking import delivery
from tests.support.workers import counted

FORGED: tuple[dict[str, Any], ...] = (
    {"quantity": -5},
    {"quantity": 0},
    {"quantity": 2**63},
    {"quantity": 1.0},
    {"quantity": "1"},
    {"quantity": True},
    {"unit_price": -100},
    {"sku": ""},
    {"total": -1},
    {"lines": []},
    {"currency": "euros"},
    {"complete_by": 1_700_000_000},
    {"complete_by": "1700000000"},
    {"complete_by": "0001-01-01T00:00:00+23:59"},
)


def placed(order_id: UUID, forged: dict[str, Any]) -> Message:
    line = OrderLine(sku="cup", quantity=1, unit_price=100)
    order = OrderPlaced(
        order_id=order_id,
        customer="ada",
        lines=(line,),
        total=100,
        currency="EUR",
        card="pm_card_visa",
        complete_by=datetime.now(UTC),
    )
    body: dict[str, Any] = json.loads(order.model_dump_json())
    name = next(iter(forged), "")
    (body["lines"][0] if name in body["lines"][0] else body).update(forged)
    return replace(
        counted(order_id, 1),
        id=message_id("order_service", order_id, 1, order.NAME),
        contract=order.NAME,
        source="order_service",
        body=json.dumps(body),
    )


def receive(connection: Connection[Any], service: Any, messages: list[Message]) -> None:
    """As the worker does with messages that are delivered one by one."""
    receiver = Receiver(service.group, service.handler())
    for message in messages:
        receiver.receive(connection, receiver.read([delivery(message)]))


@pytest.fixture
def messages() -> list[Message]:
    """All the forged ones, each about an order of its own, and an honest one behind them."""
    return [placed(uuid4(), forged) for forged in (*FORGED, {})]


def test_impossible_quantities_sell_nothing_and_an_honest_order_behind_them_is_reserved(
    database: Databases, messages: list[Message]
) -> None:
    store = database("inventory_service")
    with store.connect() as connection:
        decide(connection, announcements, Cause(uuid4()), lambda transaction: receive_stock(transaction, "cup", 1))
        receive(connection, inventory_service, messages)
        transaction = Transaction(connection, announcements, Cause(uuid4()))
        item = transaction.get(StockItem, stock_item_id("cup"))
        assert (item.on_hand, item.reserved) == (1, 1)
        assert transaction.get(Reservation, UUID(messages[-1].key)).state == "reserved"
    parked = store.rows("select state, error, count(*) from parked_messages group by 1, 2")
    assert parked == [("dead", "UnreadableMessage", len(FORGED))]


def test_the_read_side_folds_what_is_possible_and_parks_the_rest(database: Databases, messages: list[Message]) -> None:
    store = database("projections")
    with store.connect() as connection:
        receive(connection, projections, messages)
    assert store.rows("select order_id::text, total from saga_view") == [(messages[-1].key, 100)]
    parked = store.rows("select state, error, count(*) from parked_messages group by 1, 2")
    assert parked == [("dead", "UnreadableMessage", len(FORGED))]
