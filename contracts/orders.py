"""The contracts that the order service announces."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from contracts.contract import Contract

SOURCE = "order_service"


class OrderLine(Contract):
    """A quantity of one product, at the price when the order was placed."""

    sku: str
    quantity: int
    unit_price: int
    """Minor units of the order's currency."""


class OrderPlaced(Contract):
    """A customer has placed an order; nothing is reserved or charged yet."""

    NAME: ClassVar[str] = "orders.order_placed.v1"
    SOURCE: ClassVar[str] = SOURCE

    order_id: UUID
    customer: str
    lines: tuple[OrderLine, ...]
    total: int
    """Minor units."""
    currency: str
    """ISO 4217, upper case."""
    card: str
    """The card processor's name of the payment method, never a card number."""
    complete_by: datetime | None = None
    """The order is cancelled at this time unless it is confirmed by then."""
    contact: str | None = None
    """Recipient and address, sealed: only the order service can open them."""


class OrderConfirmed(Contract):
    """The order is paid; its reserved stock may be shipped."""

    NAME: ClassVar[str] = "orders.order_confirmed.v1"
    SOURCE: ClassVar[str] = SOURCE

    order_id: UUID


class OrderCancelled(Contract):
    """The order is cancelled, before or after its confirmation; every service compensates what it did for it."""

    NAME: ClassVar[str] = "orders.order_cancelled.v1"
    SOURCE: ClassVar[str] = SOURCE

    order_id: UUID
    reason: str


class ProductPriced(Contract):
    """A product was listed, or its name or price changed."""

    NAME: ClassVar[str] = "orders.product_priced.v1"
    SOURCE: ClassVar[str] = SOURCE
    KEY: ClassVar[str] = "sku"

    sku: str
    name: str
    unit_price: int
    """Minor units."""
    currency: str
