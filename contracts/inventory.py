"""The contracts that the inventory service announces."""

from typing import ClassVar
from uuid import UUID

from contracts.contract import Contract

SOURCE = "inventory_service"


class StockLine(Contract):
    """A quantity of one product."""

    sku: str
    quantity: int


class StockReserved(Contract):
    """Every line of the order is reserved; the message carries what is to be charged."""

    NAME: ClassVar[str] = "inventory.stock_reserved.v1"
    SOURCE: ClassVar[str] = SOURCE

    order_id: UUID
    lines: tuple[StockLine, ...]
    amount: int
    """The total of the order, in minor units."""
    currency: str
    card: str


class StockRejected(Contract):
    """The stock of a line is too small, so no line is reserved."""

    NAME: ClassVar[str] = "inventory.stock_rejected.v1"
    SOURCE: ClassVar[str] = SOURCE

    order_id: UUID
    reason: str


class StockReleased(Contract):
    """The reserved lines of the order are available again, or the shipped lines are on hand again."""

    NAME: ClassVar[str] = "inventory.stock_released.v1"
    SOURCE: ClassVar[str] = SOURCE

    order_id: UUID
    lines: tuple[StockLine, ...]
    returned: bool
    """True when the lines had been shipped and are on hand again."""


class StockShipped(Contract):
    """The reserved lines were shipped."""

    NAME: ClassVar[str] = "inventory.stock_shipped.v1"
    SOURCE: ClassVar[str] = SOURCE

    order_id: UUID
    lines: tuple[StockLine, ...]


class StockReceived(Contract):
    """Stock of a product was received."""

    NAME: ClassVar[str] = "inventory.stock_received.v1"
    SOURCE: ClassVar[str] = SOURCE
    KEY: ClassVar[str] = "sku"

    sku: str
    quantity: int
