"""The stock of one product: what is on hand, and how much of that is reserved."""

from typing import TypedDict
from uuid import UUID, uuid5

from eventsourcing.domain import AggregateCreated, AggregateEvent, BaseAggregate, event

STOCK_ITEMS = UUID("e7a9f6a4-0f43-5b0e-8a55-6a0d3f4c2b97")


class Line(TypedDict):
    """A quantity of one product."""

    sku: str
    quantity: int


class NotEnoughStock(ValueError):
    """More was asked of a product than is available; nothing was taken."""


def stock_item_id(sku: str) -> UUID:
    """The same SKU is the same stock, whoever asks."""
    return uuid5(STOCK_ITEMS, sku)


class StockItem(BaseAggregate[UUID]):
    """Never below zero and never oversold: `reserved` is at most `on_hand`."""

    TOPIC = "stock"

    class Event(AggregateEvent):
        """Something that happened to the stock of a product."""

    class Opened(Event, AggregateCreated):
        TOPIC = "stock.opened"
        sku: str

    class Received(Event):
        TOPIC = "stock.received"
        sku: str
        quantity: int

    class Reserved(Event):
        TOPIC = "stock.reserved"
        order_id: UUID
        quantity: int

    class Released(Event):
        TOPIC = "stock.released"
        order_id: UUID
        quantity: int

    class Shipped(Event):
        TOPIC = "stock.shipped"
        order_id: UUID
        quantity: int

    class Returned(Event):
        TOPIC = "stock.returned"
        order_id: UUID
        quantity: int

    @event(Opened)
    def __init__(self, id: UUID, sku: str) -> None:
        self._id = id
        self.sku = sku
        self.on_hand = 0
        self.reserved = 0

    @property
    def available(self) -> int:
        return self.on_hand - self.reserved

    def receive(self, quantity: int) -> None:
        self._receive(self.sku, quantity)

    def reserve(self, order_id: UUID, quantity: int) -> None:
        """Raises NotEnoughStock when less is available."""
        if quantity > self.available:
            raise NotEnoughStock(f"{quantity} of {self.sku} asked, {self.available} available")
        self._reserve(order_id, quantity)

    @event(Received)
    def _receive(self, sku: str, quantity: int) -> None:
        self.on_hand += quantity

    @event(Reserved)
    def _reserve(self, order_id: UUID, quantity: int) -> None:
        self.reserved += quantity

    @event(Released)
    def release(self, order_id: UUID, quantity: int) -> None:
        """What was set aside for the order is available again."""
        self.reserved -= quantity

    @event(Shipped)
    def ship(self, order_id: UUID, quantity: int) -> None:
        """What was set aside for the order has left."""
        self.on_hand -= quantity
        self.reserved -= quantity

    @event(Returned)
    def take_back(self, order_id: UUID, quantity: int) -> None:
        """What had left for the order is on hand again."""
        self.on_hand += quantity
