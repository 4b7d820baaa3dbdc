"""The contracts that the inventory service announces."""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from contracts.bounds import MAX_LINES, Amount, Card, Correction, Currency, Quantity, Reason, Sku
from contracts.contract import Contract

SOURCE = "inventory_service"


class StockLine(Contract):
    """A quantity of one product."""

    sku: Sku
    quantity: Quantity


StockLines = Annotated[tuple[StockLine, ...], Field(max_length=MAX_LINES)]


class StockReserved(Contract):
    """Every line of the order is reserved; the message carries what is to be charged."""

    NAME: ClassVar[str] = "inventory.stock_reserved.v1"
    SOURCE: ClassVar[str] = SOURCE

    order_id: UUID
    lines: StockLines
    amount: Amount
    """The total of the order, in minor units."""
    currency: Currency
    card: Card


class StockRejected(Contract):
    """The stock of a line is too small, so no line is reserved."""

    NAME: ClassVar[str] = "inventory.stock_rejected.v1"
    SOURCE: ClassVar[str] = SOURCE

    order_id: UUID
    reason: Reason


class StockReleased(Contract):
    """The reserved lines of the order are available again, or the shipped lines are on hand again."""

    NAME: ClassVar[str] = "inventory.stock_released.v1"
    SOURCE: ClassVar[str] = SOURCE

    order_id: UUID
    lines: StockLines
    returned: bool
    """True when the lines had been shipped and are on hand again."""


class StockShipped(Contract):
    """The reserved lines were shipped."""

    NAME: ClassVar[str] = "inventory.stock_shipped.v1"
    SOURCE: ClassVar[str] = SOURCE

    order_id: UUID
    lines: StockLines


class StockReceived(Contract):
    """Stock of a product was received."""

    NAME: ClassVar[str] = "inventory.stock_received.v1"
    SOURCE: ClassVar[str] = SOURCE
    KEY: ClassVar[str] = "sku"

    sku: Sku
    quantity: Quantity


class StockCorrected(Contract):
    """The stock of a product was corrected to what was counted, for a reason."""

    NAME: ClassVar[str] = "inventory.stock_corrected.v1"
    SOURCE: ClassVar[str] = SOURCE
    KEY: ClassVar[str] = "sku"

    sku: Sku
    quantity: Correction
    reason: Reason
    """The operator's, such as `broken`."""
