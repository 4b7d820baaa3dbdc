"""How the payment service reacts to messages about stock, orders and its own charges and refunds, and to deadlines."""

from datetime import datetime
from uuid import UUID

from contracts.inventory import StockReserved
from contracts.orders import OrderCancelled
from contracts.payments import LateChargeMade, PartRefundRequested, RefundCheckDue, RefundRequested
from ordersaga.inbox.limits import Limits, ResourceLimits
from ordersaga.inbox.reactions import Reactions
from ordersaga.store.transaction import Transaction
from payment_service.commands import (
    REFUND_CHECK,
    REFUND_RECHECK,
    check_refund,
    record_cancellation,
    record_charge,
    record_part,
    record_refund_check,
)
from payment_service.gateway import ChargeAnswer, ChargeRequest, Gateway, RefundAnswer
from payment_service.payment import Payment
from payment_service.settings import PaymentSettings

reactions = Reactions()
CARD_PROCESSOR = "card processor"
ToRefund = OrderCancelled | LateChargeMade | RefundRequested


def limits_from(settings: PaymentSettings) -> Limits:
    """How often, and how many at once, one worker calls the card processor."""
    at_once = {"charge": settings.card_processor_charges_at_once}
    return {CARD_PROCESSOR: ResourceLimits(settings.card_processor_calls_per_second, at_once)}


def the_payment(message: StockReserved | RefundCheckDue | PartRefundRequested | ToRefund) -> tuple[UUID]:
    return (message.order_id,)


def may_be_charged(message: StockReserved, transaction: Transaction) -> bool:
    payment = transaction.find(Payment, message.order_id)
    return payment is None or payment.may_be_charged


def is_refundable(message: ToRefund, transaction: Transaction) -> bool:
    payment = transaction.find(Payment, message.order_id)
    return payment is not None and payment.is_refundable and payment.rest > 0


def is_part_requested(message: PartRefundRequested, transaction: Transaction) -> bool:
    payment = transaction.find(Payment, message.order_id)
    return payment is not None and payment.part(message.part)["state"] == "requested"


def is_watched(message: RefundCheckDue, transaction: Transaction) -> bool:
    payment = transaction.find(Payment, message.order_id)
    return payment is not None and payment.is_watched(message.refund_id)


def is_cancelled_meanwhile(message: StockReserved, transaction: Transaction) -> bool:
    """A cancellation that waits, parked, behind this message was made before this attempt."""
    return transaction.is_parked(OrderCancelled, str(message.order_id))


def needs_the_processor(message: StockReserved, transaction: Transaction) -> bool:
    """Not when the order was cancelled before anyone asked for the charge: there is nothing to withdraw."""
    was_never_asked = not transaction.may_have_called and is_cancelled_meanwhile(message, transaction)
    return may_be_charged(message, transaction) and not was_never_asked


def charge_or_withdraw(message: StockReserved, transaction: Transaction) -> str:
    return "withdraw" if is_cancelled_meanwhile(message, transaction) else "charge"


def asked_at(transaction: Transaction) -> datetime:
    """Since when the card processor may have been asked: the time of the message, at its first attempt or a later."""
    assert transaction.message
    return transaction.message.time


def charge(message: StockReserved, transaction: Transaction, gateway: Gateway) -> ChargeAnswer | None:
    """Outside step: charge the card, once per order; if the order was cancelled meanwhile, withdraw the charge."""
    if not may_be_charged(message, transaction):
        return None
    request = ChargeRequest(message.order_id, message.amount, message.currency, message.card, asked_at(transaction))
    if charge_or_withdraw(message, transaction) == "withdraw":
        return gateway.withdraw(request)
    return gateway.charge(request)


def refund_charge(message: ToRefund, transaction: Transaction, gateway: Gateway) -> RefundAnswer | None:
    """Outside step: refund what is left of the charge of the order, once.

    The messages of an order are handled one after the other, so no part is made or fails between two attempts, and both
    ask for the same amount.
    """
    if not is_refundable(message, transaction):
        return None
    payment, since = transaction.get(Payment, message.order_id), asked_at(transaction)
    return gateway.refund(message.order_id, payment.charge_id, payment.rest, payment.failed_refunds, since=since)


def refund_part(message: PartRefundRequested, transaction: Transaction, gateway: Gateway) -> RefundAnswer | None:
    """Outside step: refund a part of the charge, once."""
    if not is_part_requested(message, transaction):
        return None
    payment = transaction.get(Payment, message.order_id)
    part = payment.part(message.part)
    asked = part["amount"], part["failed_refunds"], part["number"], asked_at(transaction)
    return gateway.refund(message.order_id, payment.charge_id, *asked)


def find_refund(message: RefundCheckDue, transaction: Transaction, gateway: Gateway) -> RefundAnswer | None:
    """Outside step: ask the card processor how a refund stands."""
    return gateway.find_refund(message.refund_id) if is_watched(message, transaction) else None


@reactions.to(
    StockReserved,
    loads=the_payment,
    outside=charge,
    needs_outside=needs_the_processor,
    resource=CARD_PROCESSOR,
    operation=charge_or_withdraw,
    at_once={"charge": 16, "withdraw": 4},
)
def when_stock_reserved_capture_payment(
    message: StockReserved, transaction: Transaction, answer: ChargeAnswer | None
) -> None:
    record_charge(transaction, message.order_id, answer)


@reactions.to(
    OrderCancelled,
    loads=the_payment,
    outside=refund_charge,
    needs_outside=is_refundable,
    resource=CARD_PROCESSOR,
    operation="refund",
    at_once=4,
)
def when_order_cancelled_refund_or_void_payment(
    message: OrderCancelled, transaction: Transaction, answer: RefundAnswer | None
) -> None:
    record_cancellation(transaction, message.order_id, answer)


@reactions.to(
    LateChargeMade,
    loads=the_payment,
    outside=refund_charge,
    needs_outside=is_refundable,
    resource=CARD_PROCESSOR,
    operation="refund",
    at_once=4,
)
def when_late_charge_made_refund_it(
    message: LateChargeMade, transaction: Transaction, answer: RefundAnswer | None
) -> None:
    record_cancellation(transaction, message.order_id, answer)


@reactions.to(
    RefundRequested,
    loads=the_payment,
    outside=refund_charge,
    needs_outside=is_refundable,
    resource=CARD_PROCESSOR,
    operation="refund",
    at_once=4,
)
def when_refund_requested_refund_again(
    message: RefundRequested, transaction: Transaction, answer: RefundAnswer | None
) -> None:
    record_cancellation(transaction, message.order_id, answer)


@reactions.to(
    PartRefundRequested,
    loads=the_payment,
    outside=refund_part,
    needs_outside=is_part_requested,
    resource=CARD_PROCESSOR,
    operation="refund",
    at_once=4,
)
def when_part_refund_requested_refund_it(
    message: PartRefundRequested, transaction: Transaction, answer: RefundAnswer | None
) -> None:
    record_part(transaction, message.order_id, message.part, answer)


@reactions.to(
    RefundCheckDue,
    loads=the_payment,
    outside=find_refund,
    needs_outside=is_watched,
    resource=CARD_PROCESSOR,
    operation="find refund",
    at_once=2,
)
def when_refund_check_due_record_how_it_stands(
    message: RefundCheckDue, transaction: Transaction, answer: RefundAnswer | None
) -> None:
    record_refund_check(transaction, message.order_id, message.refund_id, answer)


@reactions.to_deadline(REFUND_CHECK)
@reactions.to_deadline(REFUND_RECHECK)
def when_refund_is_to_be_checked_announce_it(order_id: UUID, transaction: Transaction) -> None:
    check_refund(transaction, order_id)
