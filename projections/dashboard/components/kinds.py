"""The mark of each kind of message: a word, a tone and a picture."""

from typing import NamedTuple

from dash import html

from projections.dashboard.components.basic import Tone, mark
from projections.dashboard.components.words import plainly


class Kind(NamedTuple):
    """How a contract is shown."""

    text: str
    tone: Tone
    icon: str


KINDS = {
    "orders.order_placed.v1": Kind("Order placed", "info", "cart"),
    "orders.order_confirmed.v1": Kind("Order confirmed", "good", "check"),
    "orders.order_cancelled.v1": Kind("Order cancelled", "warn", "back"),
    "orders.product_priced.v1": Kind("Product priced", "idle", "tag"),
    "payments.payment_captured.v1": Kind("Payment captured", "good", "card"),
    "payments.payment_declined.v1": Kind("Payment declined", "bad", "cross"),
    "payments.payment_refunded.v1": Kind("Payment refunded", "warn", "card"),
    "payments.late_charge_made.v1": Kind("Charged too late", "warn", "warning"),
    "inventory.stock_reserved.v1": Kind("Stock reserved", "info", "box"),
    "inventory.stock_rejected.v1": Kind("Stock rejected", "bad", "cross"),
    "inventory.stock_released.v1": Kind("Stock released", "warn", "box"),
    "inventory.stock_shipped.v1": Kind("Stock shipped", "good", "truck"),
    "inventory.stock_received.v1": Kind("Stock received", "idle", "plus"),
}


def kind_of(contract: str) -> Kind:
    """A contract that is not known here yet is shown by its name."""
    known = KINDS.get(contract)
    return known or Kind(plainly(contract.split(".")[1] if contract.count(".") > 1 else contract), "idle", "dot")


def kind_mark(contract: str) -> html.Span:
    return mark(*kind_of(contract))
