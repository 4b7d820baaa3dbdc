"""The books of the shop: its orders, payments and reservations, the stock, and the card processor's ledger."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from eventsourcing.domain import BaseAggregate
from eventsourcing.persistence import StoredEvent

from inventory_service.reservation import Reservation
from inventory_service.stock import StockItem
from order_service.order import Order
from ordersaga.parked.metrics import count_by_state
from ordersaga.relay import status
from ordersaga.store import aggregates
from ordersaga.store.topics import mapper
from payment_service.payment import Payment

Kind = TypeVar("Kind", bound=BaseAggregate[UUID])
PAGE = 1000


@dataclass
class Books:
    """Read from each event store, not from what one service says of another."""

    orders: list[Order] = field(default_factory=list)
    payments: dict[UUID, Payment] = field(default_factory=dict)
    reservations: dict[UUID, Reservation] = field(default_factory=dict)
    stock: list[StockItem] = field(default_factory=list)
    received: Counter[str] = field(default_factory=Counter)
    """Units received, and corrected, by SKU."""
    charges: dict[str, list[Mapping[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    """The processor's successful charges, by order id."""
    stuck: dict[str, int] = field(default_factory=dict)
    """Messages that are parked or not published, by database."""


def read_books(urls: Mapping[str, str], ledger: Mapping[str, Any]) -> Books:
    """Read the three event stores (as their owner) and sort the ledger by order."""
    books = Books()
    with psycopg.connect(urls["order_service"]) as orders:
        books.orders = list(all_of(orders, Order, Order.Placed))
        books.stuck["order_service"] = unsettled(orders)
    with psycopg.connect(urls["payment_service"]) as payments:
        books.payments = {payment.id: payment for payment in all_of(payments, Payment, Payment.Opened)}
        books.stuck["payment_service"] = unsettled(payments)
    with psycopg.connect(urls["inventory_service"]) as inventory:
        books.reservations = {r.id: r for r in all_of(inventory, Reservation, Reservation.Opened)}
        books.stock = list(all_of(inventory, StockItem, StockItem.Opened))
        books.received = received(inventory)
        books.stuck["inventory_service"] = unsettled(inventory)
    with psycopg.connect(urls["projections"]) as projections:
        books.stuck["projections"] = unsettled(projections)
    for charge in ledger["charges"]:
        if charge["status"] == "succeeded":
            books.charges[charge["order_id"]].append(charge)
    return books


def all_of(connection: psycopg.Connection[Any], kind: type[Kind], created: type[Any]) -> Iterator[Kind]:
    """Every aggregate of a kind, a thousand at a time."""
    ids = aggregates.ids_of_kind(connection, created, limit=10_000_000)
    for start in range(0, len(ids), PAGE):
        for history in aggregates.load(connection, ids[start : start + PAGE]).values():
            assert isinstance(history.aggregate, kind)
            yield history.aggregate


def received(connection: psycopg.Connection[Any]) -> Counter[str]:
    rows = connection.execute(
        "select originator_id, originator_version, topic, state from stored_events where topic = any(%s)",
        ([StockItem.Received.TOPIC, StockItem.Corrected.TOPIC],),
    )
    units: Counter[str] = Counter()
    for row in rows:
        event = mapper.to_domain_event(StoredEvent(*row))
        units[event.sku] += event.quantity
    return units


def unsettled(connection: psycopg.Connection[Any]) -> int:
    """Messages that are parked or not yet published."""
    return sum(count_by_state(connection).values()) + status.unpublished(connection)
