"""What the order service tells the others."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from contracts.contract import Contract


class OrderLine(Contract):
    """A quantity of one product at the price of the moment."""

    sku: str
    quantity: int
    unit_price: int
    """Minor units of the order's currency."""


class OrderPlaced(Contract):
    """A customer has placed an order; nothing is reserved or charged yet."""

    NAME: ClassVar[str] = "orders.order_placed.v1"

    order_id: UUID
    customer: str
    lines: tuple[OrderLine, ...]
    total: int
    """Minor units."""
    currency: str
    """ISO 4217, upper case."""
    card: str
    """The card processor's name for the payment method, never a card number."""
    complete_by: datetime | None = None
    """When it is cancelled unless it is confirmed by then."""
    contact: str | None = None
    """Who it goes to, sealed: only the order service opens it."""


class OrderConfirmed(Contract):
    """The order is paid; its reserved stock may leave."""

    NAME: ClassVar[str] = "orders.order_confirmed.v1"

    order_id: UUID


class OrderCancelled(Contract):
    """The order will not be carried out, or is taken back; whatever was done for it is undone."""

    NAME: ClassVar[str] = "orders.order_cancelled.v1"

    order_id: UUID
    reason: str


class ProductPriced(Contract):
    """The price list has a new or changed line."""

    NAME: ClassVar[str] = "orders.product_priced.v1"
    KEY: ClassVar[str] = "sku"

    sku: str
    name: str
    unit_price: int
    """Minor units."""
    currency: str
