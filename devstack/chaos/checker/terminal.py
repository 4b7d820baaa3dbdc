"""Terminal: every saga is confirmed or cancelled, and has left nothing behind."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from devstack.chaos.checker.evidence import Evidence
from devstack.chaos.verdict import Offence, Verdict
from devstack.demo.books import Books
from devstack.demo.verdict import not_ended, unfinished_part, wrong_stock
from inventory_service.stock import ReservedLine
from order_service.order import Order, PricedLine
from payment_service.commands import REFUND_CHECK, REFUND_RECHECK

QUESTION = "Is every saga confirmed or cancelled, without a reservation, payment, part or deadline left open?"
OPEN_PAYMENTS = ("open", "charged_late", "refund_requested")

DEADLINES = "select name, aggregate_id, due_at from deadlines where name <> all(%(watches)s) order by due_at"
"""Those at which a saga would still do something; a refund is watched for days after its end."""


def terminal(evidence: Evidence) -> Verdict:
    watches = [REFUND_CHECK, REFUND_RECHECK]
    deadlines = [row for name in evidence.publishing for row in evidence.rows(name, DEADLINES, watches=watches)]
    return judge(evidence.books, deadlines, evidence.excused)


def judge(books: Books, deadlines: Iterable[Any], expected: frozenset[str] = frozenset()) -> Verdict:
    """Orders in `expected` wait for a person."""
    states = Counter(order.state for order in books.orders)
    found = [Offence(f"order {order.id}", said) for order in books.orders for said in residue(books, order)]
    found += [
        Offence(f"order {row.aggregate_id}", f"its deadline {row.name} at {row.due_at} is left") for row in deadlines
    ]
    offences = [offence for offence in found if offence.subject.removeprefix("order ") not in expected]
    return Verdict(
        "terminal", QUESTION, {state: states[state] for state in ("confirmed", "cancelled", "placed")}, offences
    )


def residue(books: Books, order: Order) -> Iterator[str]:
    """What of the order has not ended."""
    for rule in (not_ended, unfinished_part, wrong_stock, other_pieces):
        if said := rule(books, order):
            yield said
    payment = books.payments.get(order.id)
    if payment and payment.state in OPEN_PAYMENTS:
        yield f"its payment is {payment.state}"


def other_pieces(books: Books, order: Order) -> str | None:
    """What was shipped otherwise than it was sold."""
    reservation = books.reservations.get(order.id)
    if not reservation or reservation.state != "shipped":
        return None
    sold, sent = pieces(order.lines), pieces(reservation.lines)
    return None if sold == sent else f"{dict(sold)} was sold, and {dict(sent)} shipped"


def pieces(lines: Iterable[PricedLine | ReservedLine]) -> Counter[str]:
    """By SKU."""
    counted: Counter[str] = Counter()
    for line in lines:
        counted[line["sku"]] += line["quantity"]
    return counted
