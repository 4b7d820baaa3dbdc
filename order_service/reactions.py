"""How the order service reacts to messages about payments and stock, and to deadlines."""

from uuid import UUID

from contracts.inventory import StockRejected
from contracts.payments import PaymentCaptured, PaymentDeclined
from order_service.commands import COMPLETION, save_ended
from order_service.order import Order
from ordersaga.inbox.reactions import Reactions
from ordersaga.store.transaction import Transaction

reactions = Reactions()


def the_order(message: StockRejected | PaymentCaptured | PaymentDeclined) -> tuple[UUID]:
    return (message.order_id,)


@reactions.to(PaymentCaptured, loads=the_order)
def when_payment_captured_confirm_order(message: PaymentCaptured, transaction: Transaction) -> None:
    order = transaction.get(Order, message.order_id)
    order.confirm(message.charge_id)
    save_ended(transaction, order)


@reactions.to(StockRejected, loads=the_order)
def when_stock_rejected_cancel_order(message: StockRejected, transaction: Transaction) -> None:
    order = transaction.get(Order, message.order_id)
    order.cancel("out_of_stock")
    save_ended(transaction, order)


@reactions.to(PaymentDeclined, loads=the_order)
def when_payment_declined_cancel_order(message: PaymentDeclined, transaction: Transaction) -> None:
    order = transaction.get(Order, message.order_id)
    order.cancel("payment_declined")
    save_ended(transaction, order)


@reactions.to_deadline(COMPLETION)
def when_deadline_passed_cancel_order(order_id: UUID, transaction: Transaction) -> None:
    order = transaction.get(Order, order_id)
    order.time_out()
    transaction.save(order)
