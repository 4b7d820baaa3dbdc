"""The mark of each contract: a text, a tone and an icon."""

from typing import NamedTuple

from dash import html

from contracts.inventory import (
    StockCorrected,
    StockReceived,
    StockRejected,
    StockReleased,
    StockReserved,
    StockShipped,
)
from contracts.orders import OrderCancelled, OrderConfirmed, OrderPlaced, ProductPriced, ProductRetired
from contracts.payments import (
    LateChargeMade,
    PartRefundRequested,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    PaymentRefundedV2,
    RefundCheckDue,
    RefundFailed,
    RefundPending,
    RefundRequested,
)
from projections.dashboard.components.basic import Tone, mark
from projections.dashboard.components.words import plainly


class Kind(NamedTuple):
    """The mark of one contract."""

    text: str
    tone: Tone
    icon: str


KINDS = {
    OrderPlaced.NAME: Kind("Order placed", "info", "cart"),
    OrderConfirmed.NAME: Kind("Order confirmed", "good", "check"),
    OrderCancelled.NAME: Kind("Order cancelled", "warn", "back"),
    ProductPriced.NAME: Kind("Product priced", "idle", "tag"),
    ProductRetired.NAME: Kind("Product retired", "warn", "cross"),
    PaymentCaptured.NAME: Kind("Payment captured", "good", "card"),
    PaymentDeclined.NAME: Kind("Payment declined", "bad", "cross"),
    PaymentRefunded.NAME: Kind("Charge refunded", "warn", "card"),
    PaymentRefundedV2.NAME: Kind("Payment refunded", "warn", "card"),
    PartRefundRequested.NAME: Kind("Part requested", "info", "card"),
    RefundPending.NAME: Kind("Refund pending", "info", "clock"),
    RefundFailed.NAME: Kind("Refund failed", "bad", "warning"),
    RefundRequested.NAME: Kind("Refund requested", "info", "card"),
    RefundCheckDue.NAME: Kind("Refund check due", "idle", "clock"),
    LateChargeMade.NAME: Kind("Late charge made", "warn", "warning"),
    StockReserved.NAME: Kind("Stock reserved", "info", "box"),
    StockRejected.NAME: Kind("Stock rejected", "bad", "cross"),
    StockReleased.NAME: Kind("Stock released", "warn", "box"),
    StockShipped.NAME: Kind("Stock shipped", "good", "truck"),
    StockReceived.NAME: Kind("Stock received", "idle", "plus"),
    StockCorrected.NAME: Kind("Stock corrected", "warn", "tag"),
}


def kind_of(contract: str) -> Kind:
    """A contract without an entry is shown by its name."""
    known = KINDS.get(contract)
    return known or Kind(plainly(contract.split(".")[1] if contract.count(".") > 1 else contract), "idle", "dot")


def kind_mark(contract: str) -> html.Span:
    return mark(*kind_of(contract))
