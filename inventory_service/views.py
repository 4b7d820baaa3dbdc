"""What one sends to the inventory service over HTTP, and what it shows."""

from typing import Annotated

from pydantic import BaseModel, Field

from inventory_service.stock import StockItem
from ordersaga.http.openapi import SEGMENT, Body, Query, View, example

LARGEST_RECEIPT = 1_000_000

Sku = Annotated[str, Field(pattern=SEGMENT)]


class StockPath(BaseModel):
    sku: Sku


class Page(Query):
    """Stock in the order in which it first came in."""

    limit: int = Field(default=100, ge=1, le=1000)
    after: Sku | None = Field(default=None, description="The last SKU of the page before.")


class Receipt(Body):
    """Goods that have come in."""

    model_config = example(quantity=500)

    quantity: int = Field(ge=1, le=LARGEST_RECEIPT)


class StockView(View):
    """`available` is what is on hand and not set aside for an order."""

    sku: str
    on_hand: int
    reserved: int
    available: int
    version: int

    @classmethod
    def of(cls, item: StockItem) -> "StockView":
        return cls(**{name: getattr(item, name) for name in cls.model_fields})


class StockPage(View):
    """`next` is the address of the next page."""

    stock: list[StockView]
    next: str | None
