"""The bodies, headers and answers of the order API."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from contracts.bounds import MAX_LINES, Card, Ordered
from order_service.contact import PRINTABLE, Contact, ContactView
from order_service.order import Order, State
from order_service.product_views import Sku
from ordersaga.http.openapi import KEY_PATTERN, KEY_TEXT, Body, Conditional, Keyed, View, example


class OrderPath(BaseModel):
    order_id: UUID


class PlaceOrderHeaders(Keyed):
    """Headers of the request that places an order."""

    prefer: str | None = Field(default=None, alias="Prefer", description="`wait=5` answers when the saga has ended.")


class CancelOrderHeaders(Conditional):
    """Headers of the request that cancels an order."""

    idempotency_key: str | None = Field(
        default=None, alias="Idempotency-Key", pattern=KEY_PATTERN, description=KEY_TEXT
    )


class NewOrderLine(Body):
    """A product and a quantity; the price list gives the price."""

    sku: Sku
    quantity: Ordered


class NewOrder(Body):
    """An order to place; each SKU appears once."""

    model_config = example(
        lines=[{"sku": "tea", "quantity": 2}],
        card="pm_card_visa",
        contact={
            "name": "Ada Byron",
            "email": "ada@example.com",
            "address": {"lines": ["12 Dorset St"], "postal_code": "W1U 6QS", "city": "London", "country": "GB"},
        },
    )

    lines: list[NewOrderLine] = Field(min_length=1, max_length=MAX_LINES)
    card: Card
    contact: Contact | None = Field(default=None, repr=False)


class Cancellation(Body):
    """The reason, in the words of the customer or operator who cancels."""

    model_config = example(required=False, reason="changed my mind")

    reason: str = Field(default="requested", min_length=1, max_length=200, pattern=PRINTABLE)


class CustomerPath(BaseModel):
    """The subject of the customer's tokens; `./ordersaga audit erase` also accepts subjects that do not match."""

    subject: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._|@:-]{0,199}$")


class EraseRequest(Body):
    """The reason, which is recorded with the erasure."""

    model_config = example(reason="asked for it")

    reason: str = Field(min_length=1, max_length=200, pattern=PRINTABLE)


class ErasureView(View):
    """`keys_erased` is 0 when no data was stored, or all of it had been erased before."""

    subject: str
    keys_erased: int


class OrderLineView(View):
    """One product; `unit_price` is the price at which the order was placed, in minor units."""

    sku: str
    quantity: int
    unit_price: int


class OrderView(View):
    """An order; `total` in minor units. Only GET shows the contact, and only to the customer and to operators."""

    order_id: UUID
    customer: str
    state: State
    reason: str | None
    lines: list[OrderLineView]
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
            lines=[OrderLineView(**line) for line in order.lines],
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


class OrderEventView(View):
    """One event of the order, and the actor who caused it."""

    topic: str
    version: int
    time: datetime
    actor: str
    data: dict[str, Any]


class OrderHistory(View):
    """The events of an order, oldest first."""

    events: list[OrderEventView]
