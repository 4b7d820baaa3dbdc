"""The commands of the payment service; those about money run once the card processor has answered."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from contracts.bounds import MAX_PARTS
from contracts.payments import RefundCheckDue
from ordersaga.store.deadline import Deadline
from ordersaga.store.transaction import Transaction
from payment_service.gateway import (
    Captured,
    ChargeAnswer,
    Declined,
    NotCharged,
    RefundAnswer,
    Refunded,
    RefundFailed,
    RefundPending,
)
from payment_service.payment import Payment

REFUND_CHECK = "refund_check"
"""The name of the deadline at which the card processor is asked how a pending refund stands."""
REFUND_RECHECK = "refund_recheck"
"""The same for a refund that succeeded; a deadline of its own, so that a far one does not stand in for a near one."""
FIRST_CHECK = timedelta(seconds=10)
ONE_DAY = timedelta(days=1)
WATCHED = timedelta(days=32)
"""A refund that succeeded may still fail; Stripe learns it from the bank within 30 days."""


class NoFailedRefund(Exception):
    """Only a refund that failed can be tried again."""


class NotCaptured(Exception):
    """A part is refunded of a captured payment, whose order is not cancelled."""


class MoreThanIsLeft(Exception):
    """The parts together cannot be more than what was captured; the text says how much is left."""


class TooManyParts(Exception):
    """A payment has MAX_PARTS parts at most."""


def record_charge(transaction: Transaction, order_id: UUID, answer: ChargeAnswer | None) -> None:
    """Record the answer to a charge; None when nothing was to be charged."""
    payment = transaction.find(Payment, order_id) or Payment(id=order_id)
    if isinstance(answer, Captured) and payment.may_be_charged:
        payment.capture(answer.charge_id, answer.amount, answer.currency)
    elif isinstance(answer, Captured) and payment.state == "voided":
        payment.charge_late(answer.charge_id, answer.amount, answer.currency)
    elif isinstance(answer, Declined) and payment.may_be_charged:
        payment.decline(answer.reason)
    elif isinstance(answer, NotCharged) and payment.may_be_charged:
        payment.void()
    transaction.save(payment)


def record_cancellation(transaction: Transaction, order_id: UUID, answer: RefundAnswer | None) -> None:
    """Record the refund of a cancelled order, or that its card is never to be charged.

    `answer` is None when there was no charge to refund when the card processor was asked; a charge recorded since
    then becomes a late charge, which is refunded next.
    """
    payment = transaction.find(Payment, order_id) or Payment(id=order_id)
    if payment.may_be_charged:
        payment.void()
    elif payment.is_refundable and not payment.rest:
        payment.end_refunded_in_parts()
    elif payment.is_refundable and answer is not None:
        record_refund(transaction, payment, answer)
    elif payment.is_refundable:
        payment.charge_late(payment.charge_id, payment.amount, payment.currency)
    transaction.save(payment)


def record_refund(transaction: Transaction, payment: Payment, answer: RefundAnswer) -> None:
    """Record how the refund of the rest stands, and set the time of the next check; the caller saves the payment."""
    before = payment.version
    match answer:
        case Refunded():
            payment.refund(answer.refund_id)
        case RefundPending():
            payment.await_refund(answer.refund_id)
        case RefundFailed():
            payment.fail_refund(answer.refund_id, answer.reason)
    if payment.version != before:
        set_next_check(transaction, payment, timedelta(0))


def record_part(transaction: Transaction, order_id: UUID, number: int, answer: RefundAnswer | None) -> None:
    """Record the refund of a part; None when the part was not to be refunded any more."""
    payment = transaction.get(Payment, order_id)
    if answer is not None:
        record_answer_to_part(transaction, payment, number, answer)
    transaction.save(payment)


def record_answer_to_part(transaction: Transaction, payment: Payment, number: int, answer: RefundAnswer) -> None:
    """Record how the refund of a part stands, and set the time of the next check; the caller saves the payment."""
    before = payment.version
    match answer:
        case Refunded():
            payment.refund_part(number, answer.refund_id)
        case RefundPending():
            payment.await_part(number, answer.refund_id)
        case RefundFailed():
            payment.fail_part(number, answer.refund_id, answer.reason)
    if payment.version != before:
        set_next_check(transaction, payment, timedelta(0))


def record_refund_check(transaction: Transaction, order_id: UUID, refund_id: str, answer: RefundAnswer | None) -> None:
    """Record what the card processor says of a refund; None when there was nothing to ask."""
    payment = transaction.get(Payment, order_id)
    if answer is not None and payment.is_watched(refund_id):
        if part := payment.part_of(refund_id):
            record_answer_to_part(transaction, payment, part["number"], answer)
        elif not (payment.state == "refunded" and isinstance(answer, RefundPending)):
            record_refund(transaction, payment, answer)
    transaction.save(payment)


def check_refund(transaction: Transaction, order_id: UUID) -> None:
    """Announce that the refunds of a payment are to be checked, and set the time of the check after it."""
    payment = transaction.get(Payment, order_id)
    for refund_id in payment.watched():
        transaction.announce(RefundCheckDue(order_id=order_id, refund_id=refund_id))
    set_next_check(transaction, payment, datetime.now(UTC) - payment.modified_on)


def set_next_check(transaction: Transaction, payment: Payment, age: timedelta) -> None:
    """Each check after as long again as the refund is old: a pending one daily at least, a finished one for a month.

    One check is for all refunds of a payment, and the newest sets its time.
    """
    if payment.has_pending_refund:
        transaction.set_deadline(Deadline(REFUND_CHECK, payment.id, min(max(age, FIRST_CHECK), ONE_DAY)))
    elif age < WATCHED and any(payment.watched()):
        transaction.set_deadline(Deadline(REFUND_RECHECK, payment.id, max(age, ONE_DAY)))


def request_refund(transaction: Transaction, order_id: UUID, reason: str) -> Payment:
    """Have the failed refunds of a payment tried again; asking for it twice is asking once.

    Raises:
        AggregateNotFound: there is no payment of this order.
        NoFailedRefund: no refund of it has failed.
    """
    payment = transaction.get(Payment, order_id)
    is_asked_before = any(part["state"] == "requested" and part["failed_refunds"] for part in payment.parts)
    if (
        payment.state not in ("refund_failed", "refund_requested")
        and not payment.failed_parts()
        and not is_asked_before
    ):
        raise NoFailedRefund(f"the payment of order {order_id} is {payment.state}")
    payment.request_refund(reason)
    for part in payment.failed_parts():
        payment.request_part_again(part["number"], reason)
    transaction.save(payment)
    return payment


def request_part(transaction: Transaction, order_id: UUID, amount: int, reason: str) -> Payment:
    """Have a part of a captured payment refunded; `amount` in minor units.

    Raises:
        AggregateNotFound: there is no payment of this order.
        NotCaptured: it is not captured, or its order is cancelled.
        MoreThanIsLeft: the parts would be more than what was captured.
        TooManyParts: it has as many as it may have.
    """
    payment = transaction.get(Payment, order_id)
    if payment.state != "captured":
        raise NotCaptured(f"The payment of order {order_id} is {payment.state}")
    if amount > payment.refundable:
        raise MoreThanIsLeft(f"{payment.refundable} {payment.currency} (minor units) of it are left to refund")
    if len(payment.parts) >= MAX_PARTS:
        raise TooManyParts(f"The payment of order {order_id} already has {MAX_PARTS} parts, and no more are possible")
    payment.request_part(amount, reason)
    transaction.save(payment)
    return payment
