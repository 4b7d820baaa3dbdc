"""The contracts that the order service announces."""

from typing import ClassVar
from uuid import UUID

from pydantic import Field

from contracts.bounds import (
    MAX_LINES,
    Amount,
    Card,
    Currency,
    Customer,
    Deadline,
    Name,
    Ordered,
    Price,
    Reason,
    Sealed,
    Sku,
)
from contracts.contract import Contract

SOURCE = "order_service"


class OrderLine(Contract):
    """A quantity of one product, at the price when the order was placed."""

    sku: Sku
    quantity: Ordered
    unit_price: Price
    """Minor units of the order's currency."""


class OrderPlaced(Contract):
    """A customer has placed an order; nothing is reserved or charged yet."""

    NAME: ClassVar[str] = "orders.order_placed.v1"
    SOURCE: ClassVar[str] = SOURCE

    order_id: UUID
    customer: Customer
    lines: tuple[OrderLine, ...] = Field(min_length=1, max_length=MAX_LINES)
    total: Amount
    """Minor units."""
    currency: Currency
    """ISO 4217, upper case."""
    card: Card
    complete_by: Deadline = None
    """The order is cancelled at this time unless it is confirmed by then."""
    contact: Sealed = None
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
    reason: Reason


class ProductPriced(Contract):
    """A product was listed, also again after it was retired, or its name or price changed."""

    NAME: ClassVar[str] = "orders.product_priced.v1"
    SOURCE: ClassVar[str] = SOURCE
    KEY: ClassVar[str] = "sku"

    sku: Sku
    name: Name
    unit_price: Price
    """Minor units."""
    currency: Currency


class ProductRetired(Contract):
    """A product is no longer sold, for a reason; a later `orders.product_priced.v1` lists it again."""

    NAME: ClassVar[str] = "orders.product_retired.v1"
    SOURCE: ClassVar[str] = SOURCE
    KEY: ClassVar[str] = "sku"

    sku: Sku
    reason: Reason
    """The operator's."""
