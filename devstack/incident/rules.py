"""Rules: what is wrong with the end of one order, in money, stock, and what is left open."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from devstack.chaos.checker.terminal import OPEN_PAYMENTS
from devstack.demo.books import Books
from devstack.demo.verdict import of_order
from inventory_service.reservation import Reservation
from order_service.order import Order
from payment_service.payment import Payment

SIGNS = {
    "stock.reserved": ("reserved", 1),
    "stock.released": ("reserved", -1),
    "stock.shipped": ("shipped", 1),
    "stock.returned": ("shipped", -1),
}
Charges = Sequence[Mapping[str, Any]]
"""The card processor's charges of the order, with `amount`, `amount_refunded` and `status`."""
Stock = Mapping[str, Sequence[tuple[str, Any]]]
"""SKU -> topics and events of its stock that are of the order."""


def wrong(
    order: Order,
    payment: Payment | None,
    reservation: Reservation | None,
    stock: Stock,
    charges: Charges | None,
) -> Iterator[str]:
    """Each broken rule as a sentence; without `charges` the card processor is left out."""
    books = Books(orders=[order])
    books.payments = {payment.id: payment} if payment else {}
    books.reservations = {reservation.id: reservation} if reservation else {}
    if charges is not None:
        books.charges[str(order.id)] = [charge for charge in charges if charge["status"] == "succeeded"]
    for found in of_order(books, order):
        if charges is not None or not found.rule.startswith("one charge"):
            yield f"{found.rule}: {'the order ' if found.detail.startswith('is ') else ''}{found.detail}"
    if payment and payment.state in OPEN_PAYMENTS and order.state != "placed":
        yield f"every payment ends: the payment is {payment.state}"
    yield from of_stock(reservation, stock)


def of_stock(reservation: Reservation | None, stock: Stock) -> Iterator[str]:
    """The pieces that the stock has moved for the order are those that its reservation says."""
    state = reservation.state if reservation else "open"
    wanted: Counter[str] = Counter()
    for line in reservation.lines if reservation else ():
        wanted[line["sku"]] += line["quantity"]
    for sku in sorted({*wanted, *stock}):
        moved: Counter[str] = Counter()
        for topic, event in stock.get(sku, ()):
            place, sign = SIGNS[topic]
            moved[place] += sign * event.quantity
            if topic == "stock.shipped":
                moved["reserved"] -= event.quantity
        for place in ("reserved", "shipped"):
            expected = wanted[sku] if place == state else 0
            if moved[place] != expected:
                yield f"stock follows the order: {moved[place]} of {sku} are {place}, the reservation is {state}"
