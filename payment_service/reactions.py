"""How the payment service reacts to messages about stock, orders and its own late charges."""

from uuid import UUID

from contracts.inventory import StockReserved
from contracts.orders import OrderCancelled
from contracts.payments import LateChargeMade
from ordersaga.inbox.reactions import Reactions
from ordersaga.store.transaction import Transaction
from payment_service.commands import record_cancellation, record_charge
from payment_service.gateway import Captured, Declined, Gateway, Refunded
from payment_service.payment import Payment

reactions = Reactions()
CARD_PROCESSOR = "card processor"


def the_payment(message: StockReserved | OrderCancelled | LateChargeMade) -> tuple[UUID]:
    return (message.order_id,)


def may_be_charged(message: StockReserved, transaction: Transaction) -> bool:
    payment = transaction.find(Payment, message.order_id)
    return payment is None or payment.may_be_charged


def is_refundable(message: OrderCancelled | LateChargeMade, transaction: Transaction) -> bool:
    payment = transaction.find(Payment, message.order_id)
    return payment is not None and payment.is_refundable


def charge(message: StockReserved, transaction: Transaction, gateway: Gateway) -> Captured | Declined | None:
    """Outside step: charge the card, once per order and unless the order was cancelled before."""
    payment = transaction.find(Payment, message.order_id)
    if payment is not None and not payment.may_be_charged:
        return None
    return gateway.charge(message.order_id, message.amount, message.currency, message.card)


def refund_charge(
    message: OrderCancelled | LateChargeMade, transaction: Transaction, gateway: Gateway
) -> Refunded | None:
    """Outside step: refund the charge of the order, once."""
    payment = transaction.find(Payment, message.order_id)
    if payment is None or not payment.is_refundable:
        return None
    return gateway.refund(message.order_id, payment.charge_id, payment.amount)


@reactions.to(StockReserved, loads=the_payment, outside=charge, needs_outside=may_be_charged, resource=CARD_PROCESSOR)
def when_stock_reserved_capture_payment(
    message: StockReserved, transaction: Transaction, answer: Captured | Declined | None
) -> None:
    record_charge(transaction, message.order_id, answer)


@reactions.to(
    OrderCancelled, loads=the_payment, outside=refund_charge, needs_outside=is_refundable, resource=CARD_PROCESSOR
)
def when_order_cancelled_refund_or_void_payment(
    message: OrderCancelled, transaction: Transaction, answer: Refunded | None
) -> None:
    record_cancellation(transaction, message.order_id, answer)


@reactions.to(
    LateChargeMade, loads=the_payment, outside=refund_charge, needs_outside=is_refundable, resource=CARD_PROCESSOR
)
def when_late_charge_made_refund_it(message: LateChargeMade, transaction: Transaction, answer: Refunded | None) -> None:
    record_cancellation(transaction, message.order_id, answer)
