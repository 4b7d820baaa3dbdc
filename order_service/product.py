"""A product of the price list, from which every order takes its prices."""

from functools import lru_cache
from uuid import UUID, uuid5

from eventsourcing.domain import AggregateCreated, AggregateEvent, BaseAggregate, event

PRODUCTS = UUID("5b2f9f0e-5d0c-5a63-8a8b-0c5f6f3f1d11")


@lru_cache(10_000)
def product_id(sku: str) -> UUID:
    """The id that follows from the SKU: the same SKU is always the same product."""
    return uuid5(PRODUCTS, sku)


class ImpossiblePrice(ValueError):
    """Less than one minor unit; nothing was recorded."""


def require_price(unit_price: int) -> None:
    """Raises ImpossiblePrice for less than one minor unit."""
    if unit_price < 1:
        raise ImpossiblePrice(f"{unit_price} minor units is no price: it must be at least 1")


class Product(BaseAggregate[UUID]):
    """A new price is for later orders, and so is the end of a product; orders that are placed keep theirs."""

    TOPIC = "product"

    class Event(AggregateEvent):
        """An event of a product."""

    class Listed(Event, AggregateCreated):
        TOPIC = "product.listed"
        sku: str
        name: str
        unit_price: int
        currency: str

    class Changed(Event):
        TOPIC = "product.changed"
        sku: str
        name: str
        unit_price: int
        currency: str

    class Retired(Event):
        TOPIC = "product.retired"
        sku: str
        reason: str

    @event(Listed)
    def __init__(self, id: UUID, sku: str, name: str, unit_price: int, currency: str) -> None:
        self._id = id
        self.sku = sku
        self.name = name
        self.unit_price = unit_price
        self.currency = currency
        self.retired = False

    @classmethod
    def list_new(cls, sku: str, name: str, unit_price: int, currency: str) -> "Product":
        """A new product of the price list. Raises ImpossiblePrice."""
        require_price(unit_price)
        return cls(id=product_id(sku), sku=sku, name=name, unit_price=unit_price, currency=currency)

    def change(self, name: str, unit_price: int, currency: str) -> None:
        """Change name and price, `unit_price` in minor units, and list the product again if it is retired.

        Equal values of a product that is listed record no event. Raises ImpossiblePrice.
        """
        require_price(unit_price)
        if self.retired or (name, unit_price, currency) != (self.name, self.unit_price, self.currency):
            self._change(self.sku, name, unit_price, currency)

    def retire(self, reason: str) -> None:
        """No later order may have it; retiring it again changes nothing."""
        if not self.retired:
            self._retire(self.sku, reason)

    @event(Changed)
    def _change(self, sku: str, name: str, unit_price: int, currency: str) -> None:
        self.name = name
        self.unit_price = unit_price
        self.currency = currency
        self.retired = False

    @event(Retired)
    def _retire(self, sku: str, reason: str) -> None:
        self.retired = True
