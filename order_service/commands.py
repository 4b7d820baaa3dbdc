"""The commands of the order service; each decides and saves, and the caller's transaction commits."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from order_service.order import Order, PricedLine
from order_service.product import Product, product_id
from ordersaga.store.deadline import Deadline
from ordersaga.store.transaction import Transaction

COMPLETION = "completion"
"""The name of the deadline at which an order that is not confirmed is cancelled."""


class UnpricedLine(NamedTuple):
    """A quantity of one product, before the price list gives its price."""

    sku: str
    quantity: int


class UnknownProduct(LookupError):
    """The price list has no such SKU; `index` is the position of its line in the order, from 0."""

    def __init__(self, sku: str, index: int) -> None:
        super().__init__(f"no product {sku!r} is on the price list")
        self.sku = sku
        self.index = index


class RetiredProduct(Exception):
    """The product is no longer sold; `index` is the position of its line in the order, from 0."""

    def __init__(self, sku: str, index: int) -> None:
        super().__init__(f"product {sku!r} is no longer sold")
        self.sku = sku
        self.index = index


class MixedCurrencies(ValueError):
    """The lines are priced in more than one currency, so they have no common total."""


class VersionMismatch(Exception):
    """The aggregate is not at the version that the caller has seen; `current` is None when it does not exist."""

    def __init__(self, current: int | None) -> None:
        super().__init__("it does not exist" if current is None else f"it is at version {current}")
        self.current = current


def put_product(
    transaction: Transaction, sku: str, name: str, unit_price: int, currency: str, version: int | None = None
) -> tuple[Product, bool]:
    """List a product, or a retired one again, or change its name and price (`unit_price` in minor units).

    Also returns whether it is new.

    Raises:
        VersionMismatch: `version` is given and the product is at another version, or is not listed.
    """
    listed = transaction.find(Product, product_id(sku))
    require_version(version, listed)
    product = listed or Product.list_new(sku, name, unit_price, currency)
    product.change(name, unit_price, currency)
    transaction.save(product)
    return product, listed is None


def retire_product(transaction: Transaction, sku: str, reason: str, version: int | None = None) -> Product:
    """Retire a product: no later order can have it, and placed orders keep it. Retiring it again changes nothing.

    Raises:
        AggregateNotFound: the price list has no such SKU.
        VersionMismatch: `version` is given and the product is at another version.
    """
    product = transaction.get(Product, product_id(sku))
    require_version(version, product)
    product.retire(reason)
    transaction.save(product)
    return product


def require_version(version: int | None, found: Product | Order | None) -> None:
    current = found.version if found else None
    if version not in (None, current):
        raise VersionMismatch(current)


def place_order(
    transaction: Transaction,
    order_id: UUID,
    customer: str,
    unpriced: Sequence[UnpricedLine],
    card: str,
    deadline: timedelta,
    contact: str | None = None,
) -> Order:
    """Place an order at the prices of the price list, with a deadline for its confirmation.

    `contact` is already sealed.

    Raises:
        UnknownProduct, RetiredProduct, MixedCurrencies: the order cannot be priced; nothing is placed.
    """
    products = products_of(transaction, unpriced)
    currencies = {product.currency for product in products}
    if len(currencies) > 1:
        raise MixedCurrencies(f"the products are priced in {' and '.join(sorted(currencies))}; order them separately")
    lines = [
        PricedLine(sku=product.sku, quantity=quantity, unit_price=product.unit_price)
        for product, (_, quantity) in zip(products, unpriced, strict=True)
    ]
    order = Order.place(order_id, customer, lines, currencies.pop(), card, datetime.now(UTC) + deadline, contact)
    transaction.save(order)
    transaction.set_deadline(Deadline(COMPLETION, order_id, deadline))
    return order


def products_of(transaction: Transaction, lines: Sequence[UnpricedLine]) -> list[Product]:
    """The product of each line. Raises UnknownProduct and RetiredProduct."""
    transaction.load(product_id(sku) for sku, _ in lines)
    products = []
    for index, (sku, _) in enumerate(lines):
        product = transaction.find(Product, product_id(sku))
        if product is None:
            raise UnknownProduct(sku, index)
        if product.retired:
            raise RetiredProduct(sku, index)
        products.append(product)
    return products


def cancel_order(transaction: Transaction, order_id: UUID, reason: str, version: int | None = None) -> Order:
    """Cancel an order, before or after its confirmation; cancelling it again changes nothing.

    Raises:
        AggregateNotFound: there is no such order.
        VersionMismatch: `version` is given and the order is at another version.
    """
    order = transaction.get(Order, order_id)
    require_version(version, order)
    order.cancel(reason)
    save_ended(transaction, order)
    return order


def save_ended(transaction: Transaction, order: Order) -> None:
    """Save an order that is confirmed or cancelled; its deadline goes with it, so that open orders alone have one."""
    if order.pending_events:
        transaction.clear_deadline(COMPLETION, order.id)
    transaction.save(order)
