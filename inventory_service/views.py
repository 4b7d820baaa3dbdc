"""The bodies, queries and answers of the inventory API."""

from typing import Annotated

from pydantic import BaseModel, Field

from contracts.bounds import Correction, Quantity
from inventory_service.stock import StockItem
from ordersaga.http.openapi import SEGMENT, Body, Conditional, Keyed, Query, View, example

Sku = Annotated[str, Field(pattern=SEGMENT)]


class StockPath(BaseModel):
    sku: Sku


class StockItemQuery(Query):
    """A page of the stock, in the order of the first receipts."""

    limit: int = Field(default=100, ge=1, le=1000)
    after: Sku | None = Field(default=None, description="The last SKU of the previous page.")


class Receipt(Body):
    """A quantity that was received."""

    model_config = example(quantity=500)

    quantity: Quantity


class CorrectionHeaders(Keyed, Conditional):
    """Headers of the request that corrects stock."""


class StockCorrection(Body):
    """The difference between what was counted and what is on hand, and the reason in the words of the operator."""

    model_config = example(quantity=-3, reason="broken")

    quantity: Correction = Field(description="Pieces to add, or with a minus to take off.")
    reason: str = Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")


class StockView(View):
    """The stock of one product; `available` is on hand and not reserved for an order."""

    sku: str
    on_hand: int
    reserved: int
    available: int
    version: int

    @classmethod
    def of(cls, item: StockItem) -> "StockView":
        return cls(**{name: getattr(item, name) for name in cls.model_fields})


class StockItemPage(View):
    """A page of the stock; `next` is the address of the next page, null on the last."""

    stock: list[StockView]
    next: str | None
