"""What the payment service does when stock is reserved or an order is cancelled."""

from uuid import UUID

from contracts.inventory import StockReserved
from contracts.orders import OrderCancelled
from contracts.payments import LateChargeMade
from ordersaga.inbox.reactions import Reactions
from ordersaga.store.transaction import Transaction
from payment_service.commands import settle_cancellation, settle_charge
from payment_service.gateway import Captured, Declined, Gateway, Refunded
from payment_service.payment import Payment

reactions = Reactions()


def the_payment(message: StockReserved | OrderCancelled | LateChargeMade) -> tuple[UUID]:
    return (message.order_id,)


def charge(message: StockReserved, transaction: Transaction, gateway: Gateway) -> Captured | Declined | None:
    """Outside step: charge the card once per order, unless the order was cancelled before."""
    payment = transaction.find(Payment, message.order_id)
    if payment is not None and not payment.may_be_charged:
        return None
    return gateway.charge(message.order_id, message.amount, message.currency, message.card)


def give_back(message: OrderCancelled | LateChargeMade, transaction: Transaction, gateway: Gateway) -> Refunded | None:
    """Outside step: refund all that was charged for the order, once."""
    payment = transaction.find(Payment, message.order_id)
    if payment is None or not payment.holds_money:
        return None
    return gateway.refund(message.order_id, payment.charge_id, payment.amount)


@reactions.to(StockReserved, loads=the_payment, outside=charge)
def when_stock_reserved_capture_payment(
    message: StockReserved, transaction: Transaction, answer: Captured | Declined | None
) -> None:
    settle_charge(transaction, message.order_id, answer)


@reactions.to(OrderCancelled, loads=the_payment, outside=give_back)
def when_order_cancelled_refund_or_bar_payment(
    message: OrderCancelled, transaction: Transaction, answer: Refunded | None
) -> None:
    settle_cancellation(transaction, message.order_id, answer)


@reactions.to(LateChargeMade, loads=the_payment, outside=give_back)
def when_late_charge_made_refund_it(message: LateChargeMade, transaction: Transaction, answer: Refunded | None) -> None:
    settle_cancellation(transaction, message.order_id, answer)
