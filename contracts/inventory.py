"""What the inventory service tells the others."""

from typing import ClassVar
from uuid import UUID

from contracts.contract import Contract


class StockLine(Contract):
    """A quantity of one product."""

    sku: str
    quantity: int


class StockReserved(Contract):
    """Every line of the order is set aside; what is to be charged for it travels along."""

    NAME: ClassVar[str] = "inventory.stock_reserved.v1"

    order_id: UUID
    lines: tuple[StockLine, ...]
    amount: int
    """Minor units, the order's total."""
    currency: str
    card: str


class StockRejected(Contract):
    """At least one line could not be set aside, so none was."""

    NAME: ClassVar[str] = "inventory.stock_rejected.v1"

    order_id: UUID
    reason: str


class StockReleased(Contract):
    """What was set aside for the order is free again, or what had left has come back."""

    NAME: ClassVar[str] = "inventory.stock_released.v1"

    order_id: UUID
    lines: tuple[StockLine, ...]
    returned: bool
    """True when the goods had been shipped and are on hand again."""


class StockShipped(Contract):
    """The reserved stock has left."""

    NAME: ClassVar[str] = "inventory.stock_shipped.v1"

    order_id: UUID
    lines: tuple[StockLine, ...]


class StockReceived(Contract):
    """Goods have come in."""

    NAME: ClassVar[str] = "inventory.stock_received.v1"
    KEY: ClassVar[str] = "sku"

    sku: str
    quantity: int
