"""What one sends about orders over HTTP, and what is shown of them."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from order_service.contact import PRINTABLE, Contact, ContactView
from order_service.order import Order
from order_service.product_views import Sku
from ordersaga.http.openapi import KEY_PATTERN, KEY_TEXT, Body, Conditional, Keyed, View, example

LARGEST_QUANTITY = 10_000
MOST_LINES = 100
CARD = r"^[A-Za-z]+_[A-Za-z0-9_]+$"
"""The processor's names of payment methods, such as pm_card_visa; a card number does not fit."""


class OrderPath(BaseModel):
    order_id: UUID


class Placing(Keyed):
    """Headers of a new order."""

    prefer: str | None = Field(default=None, alias="Prefer", description="`wait=5` answers when the saga has ended.")


class Cancelling(Conditional):
    """Headers of a cancellation."""

    idempotency_key: str | None = Field(
        default=None, alias="Idempotency-Key", pattern=KEY_PATTERN, description=KEY_TEXT
    )


class WantedLine(Body):
    """How many of which product; the price comes from the price list."""

    sku: Sku
    quantity: int = Field(ge=1, le=LARGEST_QUANTITY)


class NewOrder(Body):
    """Each SKU once."""

    model_config = example(
        lines=[{"sku": "tea", "quantity": 2}],
        card="pm_card_visa",
        contact={
            "name": "Ada Byron",
            "email": "ada@example.com",
            "address": {"lines": ["12 Dorset St"], "postal_code": "W1U 6QS", "city": "London", "country": "GB"},
        },
    )

    lines: list[WantedLine] = Field(min_length=1, max_length=MOST_LINES)
    card: str = Field(max_length=100, pattern=CARD)
    contact: Contact | None = Field(default=None, repr=False)


class Cancellation(Body):
    """Why, in the words of whoever cancels."""

    model_config = example(required=False, reason="changed my mind")

    reason: str = Field(default="requested", min_length=1, max_length=200, pattern=PRINTABLE)


class CustomerPath(BaseModel):
    """The subject of the customer's tokens; `./ordersaga audit erase` also takes those that do not fit here."""

    subject: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._|@:-]{0,199}$")


class Erasing(Body):
    """Why, for the record."""

    model_config = example(reason="asked for it")

    reason: str = Field(min_length=1, max_length=200, pattern=PRINTABLE)


class ErasureView(View):
    """`keys_erased` is 0 when nothing was kept or it had been erased before."""

    subject: str
    keys_erased: int


class LineView(View):
    """Prices of the moment the order was placed, in minor units."""

    sku: str
    quantity: int
    unit_price: int


class OrderView(View):
    """An order; `total` in minor units. Only GET shows the contact, to the customer and to operators."""

    order_id: UUID
    customer: str
    state: Literal["placed", "confirmed", "cancelled"]
    reason: str | None
    lines: list[LineView]
    total: int
    currency: str
    card: str
    charge_id: str | None
    contact: ContactView | None
    contact_erased: bool
    version: int
    placed_at: datetime
    changed_at: datetime

    @classmethod
    def of(cls, order: Order, contact: ContactView | None = None, contact_erased: bool = False) -> "OrderView":
        return cls(
            order_id=order.id,
            customer=order.customer,
            state=order.state,
            reason=order.reason or None,
            lines=[LineView(**line) for line in order.lines],
            total=order.total,
            currency=order.currency,
            card=order.card,
            charge_id=order.charge_id or None,
            contact=contact,
            contact_erased=contact_erased,
            version=order.version,
            placed_at=order.created_on,
            changed_at=order.modified_on,
        )


class EventView(View):
    """Something that happened to the order, and on whose behalf."""

    topic: str
    version: int
    time: datetime
    actor: str
    data: dict[str, Any]


class OrderHistory(View):
    """Oldest first."""

    events: list[EventView]
