"""How the payment service reacts to messages about stock, orders and its own charges and refunds, and to deadlines."""

from uuid import UUID

from contracts.inventory import StockReserved
from contracts.orders import OrderCancelled
from contracts.payments import LateChargeMade, RefundCheckDue, RefundRequested
from ordersaga.inbox.reactions import Reactions
from ordersaga.store.transaction import Transaction
from payment_service.commands import (
    REFUND_CHECK,
    REFUND_RECHECK,
    check_refund,
    record_cancellation,
    record_charge,
    record_refund_check,
)
from payment_service.gateway import ChargeAnswer, ChargeRequest, Gateway, RefundAnswer
from payment_service.payment import Payment

reactions = Reactions()
CARD_PROCESSOR = "card processor"
ToRefund = OrderCancelled | LateChargeMade | RefundRequested


def the_payment(message: StockReserved | RefundCheckDue | ToRefund) -> tuple[UUID]:
    return (message.order_id,)


def may_be_charged(message: StockReserved, transaction: Transaction) -> bool:
    payment = transaction.find(Payment, message.order_id)
    return payment is None or payment.may_be_charged


def is_refundable(message: ToRefund, transaction: Transaction) -> bool:
    payment = transaction.find(Payment, message.order_id)
    return payment is not None and payment.is_refundable


def is_watched(message: RefundCheckDue, transaction: Transaction) -> bool:
    payment = transaction.find(Payment, message.order_id)
    return payment is not None and payment.is_watched(message.refund_id)


def charge(message: StockReserved, transaction: Transaction, gateway: Gateway) -> ChargeAnswer | None:
    """Outside step: charge the card, once per order, unless the order was cancelled before.

    A cancellation that waits, parked, behind this message was made before this attempt.
    """
    if not may_be_charged(message, transaction):
        return None
    assert transaction.message
    since = transaction.message.time
    request = ChargeRequest(message.order_id, message.amount, message.currency, message.card, since)
    if transaction.is_parked(OrderCancelled, str(message.order_id)):
        return gateway.withdraw(request)
    return gateway.charge(request)


def refund_charge(message: ToRefund, transaction: Transaction, gateway: Gateway) -> RefundAnswer | None:
    """Outside step: refund the charge of the order, once."""
    payment = transaction.find(Payment, message.order_id)
    if payment is None or not payment.is_refundable:
        return None
    return gateway.refund(message.order_id, payment.charge_id, payment.amount, payment.failed_refunds)


def find_refund(message: RefundCheckDue, transaction: Transaction, gateway: Gateway) -> RefundAnswer | None:
    """Outside step: ask the card processor how a refund stands."""
    return gateway.find_refund(message.refund_id) if is_watched(message, transaction) else None


@reactions.to(StockReserved, loads=the_payment, outside=charge, needs_outside=may_be_charged, resource=CARD_PROCESSOR)
def when_stock_reserved_capture_payment(
    message: StockReserved, transaction: Transaction, answer: ChargeAnswer | None
) -> None:
    record_charge(transaction, message.order_id, answer)


@reactions.to(
    OrderCancelled, loads=the_payment, outside=refund_charge, needs_outside=is_refundable, resource=CARD_PROCESSOR
)
def when_order_cancelled_refund_or_void_payment(
    message: OrderCancelled, transaction: Transaction, answer: RefundAnswer | None
) -> None:
    record_cancellation(transaction, message.order_id, answer)


@reactions.to(
    LateChargeMade, loads=the_payment, outside=refund_charge, needs_outside=is_refundable, resource=CARD_PROCESSOR
)
def when_late_charge_made_refund_it(
    message: LateChargeMade, transaction: Transaction, answer: RefundAnswer | None
) -> None:
    record_cancellation(transaction, message.order_id, answer)


@reactions.to(
    RefundRequested, loads=the_payment, outside=refund_charge, needs_outside=is_refundable, resource=CARD_PROCESSOR
)
def when_refund_requested_refund_again(
    message: RefundRequested, transaction: Transaction, answer: RefundAnswer | None
) -> None:
    record_cancellation(transaction, message.order_id, answer)


@reactions.to(RefundCheckDue, loads=the_payment, outside=find_refund, needs_outside=is_watched, resource=CARD_PROCESSOR)
def when_refund_check_due_record_how_it_stands(
    message: RefundCheckDue, transaction: Transaction, answer: RefundAnswer | None
) -> None:
    record_refund_check(transaction, message.order_id, answer)


@reactions.to_deadline(REFUND_CHECK)
@reactions.to_deadline(REFUND_RECHECK)
def when_refund_is_to_be_checked_announce_it(order_id: UUID, transaction: Transaction) -> None:
    check_refund(transaction, order_id)
