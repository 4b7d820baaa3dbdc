"""Money: the card processor's ledger, the payments and the orders agree, in both directions."""

from collections.abc import Iterator, Mapping
from typing import Any

from devstack.chaos.checker.evidence import Evidence
from devstack.chaos.verdict import DUPLICATED, LOST, OK, UNEXPECTED, Offence, Verdict
from devstack.demo.books import Books
from devstack.demo.verdict import charged_otherwise_than_once, kept_money
from order_service.order import Order
from payment_service.payment import Payment

QUESTION = (
    "Is each confirmed order charged once, is nothing kept of a cancelled one, and is no charge without an order?"
)
BACK = ("refunded", "refund_pending")
"""States of a payment whose rest the card processor has refunded."""


def money(evidence: Evidence) -> Verdict:
    return judge(evidence.books, evidence.excused)


def judge(books: Books, expected: frozenset[str] = frozenset()) -> Verdict:
    """Orders in `expected` wait for a person: what is owed to them is not judged."""
    counts = dict.fromkeys((OK, LOST, UNEXPECTED, DUPLICATED), 0)
    offences = []
    orders = {str(order.id): order for order in books.orders}
    for word, offence in (*of_orders(books, orders, expected), *of_ledger(books, orders)):
        counts[word] += 1
        if word != OK:
            offences.append(offence)
    return Verdict("money", QUESTION, counts, offences)


def of_orders(books: Books, orders: dict[str, Order], expected: frozenset[str]) -> Iterator[tuple[str, Offence]]:
    """What each order and its payment say of the ledger."""
    for id_, order in orders.items():
        if id_ in expected:
            continue
        subject, charges = f"order {id_}", books.charges.get(id_, [])
        wrong = charged_otherwise_than_once(books, order) or kept_money(books, order)
        payment = books.payments.get(order.id)
        said = wrong_record(payment, {charge["id"]: charge for charge in charges}) if payment else ""
        if len(charges) > 1:
            yield DUPLICATED, Offence(subject, f"charged {len(charges)} times: {', '.join(c['id'] for c in charges)}")
        elif wrong or said:
            yield LOST if not charges else UNEXPECTED, Offence(subject, wrong or said)
        else:
            yield OK, Offence(subject, "")


def wrong_record(payment: Payment, charges: Mapping[str, Mapping[str, Any]]) -> str:
    """What the payment says otherwise than the ledger of its charge; empty when they agree."""
    if not payment.charge_id:
        return f"charged, and its payment is {payment.state}" if charges and payment.state == "declined" else ""
    charge = charges.get(payment.charge_id)
    if charge is None:
        return f"its payment has charge {payment.charge_id}, which is not in the ledger"
    back = payment.made_in_parts + (payment.refund_amount if payment.state in BACK else 0)
    if (payment.amount, back) != (charge["amount"], charge["amount_refunded"]):
        there = f"{charge['amount']} and {charge['amount_refunded']} refunded"
        return f"its payment says {payment.amount} and {back} refunded, charge {payment.charge_id} is {there}"
    return ""


def of_ledger(books: Books, orders: dict[str, Order]) -> Iterator[tuple[str, Offence]]:
    """Charges that no order explains, and payments without an order."""
    for id_, charges in books.charges.items():
        for charge in charges:
            if charge["amount_refunded"] > charge["amount"]:
                detail = f"{charge['amount_refunded']} is refunded of {charge['amount']}"
                yield UNEXPECTED, Offence(f"charge {charge['id']}", detail)
        if id_ not in orders:
            for charge in charges:
                yield UNEXPECTED, Offence(f"charge {charge['id']}", f"{charge['amount']} for order {id_}, unknown")
    for payment in books.payments.values():
        if payment.charge_id and str(payment.id) not in orders:
            yield UNEXPECTED, Offence(f"payment {payment.id}", f"captured {payment.amount} for no order")
