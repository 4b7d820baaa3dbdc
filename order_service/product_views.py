"""The bodies, queries and answers of the price list API."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, WithJsonSchema

from contracts.bounds import Name, Price
from order_service.contact import PRINTABLE
from order_service.currencies import CURRENCIES
from order_service.product import Product
from ordersaga.http.openapi import SEGMENT, Body, Query, View, example


def known_currency(code: str) -> str:
    if code not in CURRENCIES:
        raise ValueError("is not a currency of ISO 4217, such as EUR")
    return code


Sku = Annotated[str, Field(pattern=SEGMENT)]
Currency = Annotated[str, AfterValidator(known_currency), WithJsonSchema({"enum": sorted(CURRENCIES)})]


class ProductPath(BaseModel):
    sku: Sku


class ProductQuery(Query):
    """A page of the products, in the order in which they were listed."""

    limit: int = Field(default=100, ge=1, le=1000)
    retired: bool | None = Field(default=None, description="Only those that are no longer sold, or only the others.")
    after: Sku | None = Field(default=None, description="The last SKU of the previous page.")


class ProductTerms(Body):
    """Name and price of a product."""

    model_config = example(name="Earl Grey, 250 g", unit_price=890, currency="EUR")

    name: Name = Field(pattern=PRINTABLE)
    unit_price: Price = Field(description="Minor units.")
    currency: Currency = Field(description="ISO 4217.")


class Retirement(Body):
    """The reason, in the words of the operator."""

    model_config = example(reason="replaced by the tin of 250 g")

    reason: str = Field(min_length=1, max_length=200, pattern=PRINTABLE)


class ProductView(View):
    """A product of the price list; `unit_price` in minor units. `retired`: it is no longer sold."""

    sku: str
    name: str
    unit_price: int
    currency: str
    retired: bool
    version: int

    @classmethod
    def of(cls, product: Product) -> "ProductView":
        return cls(**{name: getattr(product, name) for name in cls.model_fields})


class ProductPage(View):
    """A page of products; `next` is the address of the next page, null on the last."""

    products: list[ProductView]
    next: str | None
