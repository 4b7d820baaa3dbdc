"""The commands of the payment service, run once the card processor has answered."""

from uuid import UUID

from ordersaga.store.transaction import Transaction
from payment_service.gateway import Captured, Declined, Refunded
from payment_service.payment import Payment


def record_charge(transaction: Transaction, order_id: UUID, answer: Captured | Declined | None) -> None:
    """Record the answer to a charge; None when nothing was to be charged."""
    payment = transaction.find(Payment, order_id) or Payment(id=order_id)
    if isinstance(answer, Captured) and payment.may_be_charged:
        payment.capture(answer.charge_id, answer.amount, answer.currency)
    elif isinstance(answer, Captured) and payment.state == "voided":
        payment.charge_late(answer.charge_id, answer.amount, answer.currency)
    elif isinstance(answer, Declined) and payment.may_be_charged:
        payment.decline(answer.reason)
    transaction.save(payment)


def record_cancellation(transaction: Transaction, order_id: UUID, answer: Refunded | None) -> None:
    """Record the refund of a cancelled order, or that its card is never to be charged.

    `answer` is None when there was no charge to refund when the card processor was asked; a charge recorded since
    then becomes a late charge, which is refunded next.
    """
    payment = transaction.find(Payment, order_id) or Payment(id=order_id)
    if payment.may_be_charged:
        payment.void()
    elif payment.is_refundable and answer is not None:
        payment.refund(answer.refund_id)
    elif payment.is_refundable:
        payment.charge_late(payment.charge_id, payment.amount, payment.currency)
    transaction.save(payment)
