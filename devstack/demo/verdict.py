"""The verdict: the rules that the books must keep after every order has ended."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from devstack.demo.books import Books
from inventory_service.reservation import Reservation
from order_service.order import Order
from payment_service.payment import Payment

UNTOUCHED = (None, "open", "voided", "rejected", "declined")
"""States of a payment or reservation of an order for which nothing was charged or reserved."""


@dataclass(frozen=True)
class Violation:
    """One finding: the broken rule, its subject, and what was found."""

    rule: str
    subject: str
    detail: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.subject}: {self.detail}"


def violations(books: Books) -> list[Violation]:
    """Every broken rule, named; an empty list when the books balance."""
    found = [finding for order in books.orders for finding in of_order(books, order)]
    found += of_stock(books)
    found += [
        Violation("everything arrives", place, f"{count} messages are parked or not published")
        for place, count in books.stuck.items()
        if count
    ]
    return found


def of_order(books: Books, order: Order) -> Iterator[Violation]:
    rules: dict[str, Callable[[Books, Order], str | None]] = {
        "every order ends": not_ended,
        "one charge per confirmed order": charged_otherwise_than_once,
        "every requested part is refunded": unfinished_part,
        "nothing is kept of a cancelled order": kept_money,
        "stock follows the order": wrong_stock,
    }
    for rule, broken in rules.items():
        detail = broken(books, order)
        if detail:
            yield Violation(rule, f"order {order.id}", detail)


def not_ended(_: Books, order: Order) -> str | None:
    return None if order.state in ("confirmed", "cancelled") else f"is {order.state}"


def charged_otherwise_than_once(books: Books, order: Order) -> str | None:
    if order.state != "confirmed":
        return None
    charges = [(charge["amount"], charge["amount_refunded"]) for charge in books.charges.get(str(order.id), [])]
    payment = books.payments.get(order.id)
    back = payment.made_in_parts if payment else 0
    if charges != [(order.total, back)]:
        return f"total {order.total}, {back} refunded in parts, but the processor's charges and refunds are {charges}"
    return None


def unfinished_part(books: Books, order: Order) -> str | None:
    payment = books.payments.get(order.id)
    open_parts = [part["number"] for part in payment.parts if part["state"] == "requested"] if payment else []
    return f"refunds {open_parts} are requested and not made" if open_parts else None


def kept_money(books: Books, order: Order) -> str | None:
    if order.state != "cancelled":
        return None
    kept = sum(charge["amount"] - charge["amount_refunded"] for charge in books.charges.get(str(order.id), []))
    state = state_of(books.payments, order.id)
    if kept or state not in (*UNTOUCHED, "refunded"):
        return f"the processor keeps {kept} {order.currency} (minor units), the payment is {state}"
    return None


def wrong_stock(books: Books, order: Order) -> str | None:
    state = state_of(books.reservations, order.id)
    expected = ("shipped",) if order.state == "confirmed" else (*UNTOUCHED, "released")
    if order.state in ("confirmed", "cancelled") and state not in expected:
        return f"the order is {order.state}, its reservation is {state}"
    return None


def state_of(aggregates_by_id: Mapping[UUID, Payment] | Mapping[UUID, Reservation], order_id: UUID) -> str | None:
    aggregate = aggregates_by_id.get(order_id)
    return aggregate.state if aggregate else None


def of_stock(books: Books) -> Iterator[Violation]:
    """Per product: units that came in are on hand or shipped, and reserved units are reserved for an order."""
    left: Counter[str] = units(books.reservations.values(), "shipped")
    reserved: Counter[str] = units(books.reservations.values(), "reserved")
    for item in books.stock:
        if books.received[item.sku] != item.on_hand + left[item.sku]:
            yield Violation(
                "stock is conserved",
                item.sku,
                f"{books.received[item.sku]} came in, {item.on_hand} on hand, {left[item.sku]} left",
            )
        if not reserved[item.sku] == item.reserved <= item.on_hand:
            yield Violation(
                "stock is never oversold",
                item.sku,
                f"{item.reserved} reserved of {item.on_hand} on hand, orders hold {reserved[item.sku]}",
            )


def units(reservations: Iterable[Reservation], state: str) -> Counter[str]:
    counted: Counter[str] = Counter()
    for reservation in reservations:
        if reservation.state == state:
            for line in reservation.lines:
                counted[line["sku"]] += line["quantity"]
    return counted


def as_json(books: Books, found: Sequence[Violation], seconds: Mapping[str, float]) -> dict[str, Any]:
    """The demo's one object on stdout."""
    reasons = Counter(order.reason for order in books.orders if order.state == "cancelled")
    states = Counter(order.state for order in books.orders)
    return {
        "orders": len(books.orders),
        "confirmed": states["confirmed"],
        "cancelled": states["cancelled"],
        "by_reason": dict(sorted(reasons.items())),
        "violations": [asdict(violation) for violation in found],
        "seconds": dict(seconds),
    }
