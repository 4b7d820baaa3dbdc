"""What the payment service decides once the card processor has answered."""

from uuid import UUID

from ordersaga.store.transaction import Transaction
from payment_service.gateway import Captured, Declined, Refunded
from payment_service.payment import Payment


def settle_charge(transaction: Transaction, order_id: UUID, answer: Captured | Declined | None) -> None:
    """Record what came of charging the card; None: nothing was to be charged."""
    payment = transaction.find(Payment, order_id) or Payment(id=order_id)
    if isinstance(answer, Captured) and payment.may_be_charged:
        payment.capture(answer.charge_id, answer.amount, answer.currency)
    elif isinstance(answer, Captured) and payment.state == "barred":
        payment.charge_late(answer.charge_id, answer.amount, answer.currency)
    elif isinstance(answer, Declined) and payment.may_be_charged:
        payment.decline(answer.reason)
    transaction.save(payment)


def settle_cancellation(transaction: Transaction, order_id: UUID, answer: Refunded | None) -> None:
    """Record that the money went back, or that nothing is to be charged from now on.

    `answer` is None when nothing was charged at the moment of asking; what has been charged since goes back next.
    """
    payment = transaction.find(Payment, order_id) or Payment(id=order_id)
    if payment.may_be_charged:
        payment.bar()
    elif payment.holds_money and answer is not None:
        payment.refund(answer.refund_id)
    elif payment.holds_money:
        payment.charge_late(payment.charge_id, payment.amount, payment.currency)
    transaction.save(payment)
