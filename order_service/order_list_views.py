"""The query and the answer of the list of orders."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from order_service.order import Order, State
from order_service.order_list import ListedOrder, OrderFilter
from order_service.views import OrderLineView
from ordersaga.http.as_of import Time
from ordersaga.http.cursors import SCHEMA, cursor_validator
from ordersaga.http.openapi import Query, View


class OrderQuery(Query):
    """A page of orders, newest first, placed at or after `since` and before `until`."""

    limit: int = Field(default=50, ge=1, le=200)
    after: Annotated[ListedOrder, cursor_validator(ListedOrder), SCHEMA] | None = Field(
        default=None, description="The cursor in `next` of the previous page."
    )
    state: State | None = None
    customer: str | None = Field(
        default=None,
        pattern=r"^[^\x00-\x1f\x7f]{1,200}$",
        description="For operators and auditors; a customer gets nobody else's orders.",
    )
    since: Time | None = None
    until: Time | None = None

    def wanted(self) -> OrderFilter:
        return OrderFilter(self.state, self.customer, self.since, self.until)


class OrderSummary(View):
    """An order in a list; `total` in minor units. `GET /orders/<order_id>` shows the rest."""

    order_id: UUID
    customer: str
    state: State
    reason: str | None
    lines: list[OrderLineView]
    total: int
    currency: str
    version: int
    placed_at: datetime
    changed_at: datetime

    @classmethod
    def of(cls, order: Order) -> "OrderSummary":
        return cls(
            order_id=order.id,
            customer=order.customer,
            state=order.state,
            reason=order.reason or None,
            lines=[OrderLineView(**line) for line in order.lines],
            total=order.total,
            currency=order.currency,
            version=order.version,
            placed_at=order.created_on,
            changed_at=order.modified_on,
        )


class OrderPage(View):
    """A page of orders; `next` is the address of the next page, null on the last."""

    orders: list[OrderSummary]
    next: str | None
