"""The stock of one product: the quantity on hand, and how much of it is reserved."""

from functools import lru_cache
from typing import TypedDict
from uuid import UUID, uuid5

from eventsourcing.domain import AggregateCreated, AggregateEvent, BaseAggregate, event

STOCK_ITEMS = UUID("e7a9f6a4-0f43-5b0e-8a55-6a0d3f4c2b97")


class ReservedLine(TypedDict):
    """A quantity of one product."""

    sku: str
    quantity: int


class NotEnoughStock(ValueError):
    """The quantity is larger than what is available; nothing was recorded."""


class ImpossibleQuantity(ValueError):
    """Less than one piece, or more than is reserved; nothing was recorded."""


def require_pieces(quantity: int) -> None:
    """Raises ImpossibleQuantity for less than one piece."""
    if quantity < 1:
        raise ImpossibleQuantity(f"{quantity} is no number of pieces: it must be at least 1")


@lru_cache(10_000)
def stock_item_id(sku: str) -> UUID:
    """The id that follows from the SKU: the same SKU is always the same stock."""
    return uuid5(STOCK_ITEMS, sku)


class StockItem(BaseAggregate[UUID]):
    """Stock is never negative and never oversold: `reserved` is at most `on_hand`.

    Each change raises ImpossibleQuantity for less than one piece. What was recorded is applied as it stands.
    """

    TOPIC = "stock"

    class Event(AggregateEvent):
        """An event of a stock item."""

    class Opened(Event, AggregateCreated):
        TOPIC = "stock.opened"
        sku: str

    class Received(Event):
        TOPIC = "stock.received"
        sku: str
        quantity: int

    class Corrected(Event):
        TOPIC = "stock.corrected"
        sku: str
        quantity: int
        """Pieces that were added, or with a minus taken off."""
        reason: str

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
        require_pieces(quantity)
        self._receive(self.sku, quantity)

    def correct(self, quantity: int, reason: str) -> None:
        """Add pieces, or with a minus take them off.

        Raises ImpossibleQuantity for 0, NotEnoughStock when fewer pieces are available: what is reserved stays.
        """
        if quantity == 0:
            raise ImpossibleQuantity(f"0 of {self.sku} corrects nothing")
        if -quantity > self.available:
            raise NotEnoughStock(
                f"{-quantity} of {self.sku} cannot be taken off: {self.available} are available, and {self.reserved} "
                f"of the {self.on_hand} on hand are reserved for orders"
            )
        self._correct(self.sku, quantity, reason)

    def reserve(self, order_id: UUID, quantity: int) -> None:
        """Raises NotEnoughStock when less is available."""
        require_pieces(quantity)
        if quantity > self.available:
            raise NotEnoughStock(f"{quantity} of {self.sku} asked, {self.available} available")
        self._reserve(order_id, quantity)

    def release(self, order_id: UUID, quantity: int) -> None:
        """Make a reserved quantity available again."""
        self._require_reserved(quantity)
        self._release(order_id, quantity)

    def ship(self, order_id: UUID, quantity: int) -> None:
        """Take a reserved quantity off the stock."""
        self._require_reserved(quantity)
        self._ship(order_id, quantity)

    def restock(self, order_id: UUID, quantity: int) -> None:
        """Put a shipped quantity back on hand."""
        require_pieces(quantity)
        self._restock(order_id, quantity)

    def _require_reserved(self, quantity: int) -> None:
        require_pieces(quantity)
        if quantity > self.reserved:
            raise ImpossibleQuantity(f"{quantity} of {self.sku} cannot be taken of {self.reserved} that are reserved")

    @event(Received)
    def _receive(self, sku: str, quantity: int) -> None:
        self.on_hand += quantity

    @event(Corrected)
    def _correct(self, sku: str, quantity: int, reason: str) -> None:
        self.on_hand += quantity

    @event(Reserved)
    def _reserve(self, order_id: UUID, quantity: int) -> None:
        self.reserved += quantity

    @event(Released)
    def _release(self, order_id: UUID, quantity: int) -> None:
        self.reserved -= quantity

    @event(Shipped)
    def _ship(self, order_id: UUID, quantity: int) -> None:
        self.on_hand -= quantity
        self.reserved -= quantity

    @event(Returned)
    def _restock(self, order_id: UUID, quantity: int) -> None:
        self.on_hand += quantity
