"""How the inventory service reacts to messages about orders and payments."""

from collections import Counter
from collections.abc import Iterable
from uuid import UUID

from contracts.orders import OrderCancelled, OrderConfirmed, OrderPlaced
from contracts.payments import PaymentDeclined
from inventory_service.commands import release_stock, reserve_stock, ship_stock
from inventory_service.reservation import Reservation
from inventory_service.stock import ReservedLine, stock_item_id
from ordersaga.inbox.reactions import Reactions
from ordersaga.store.transaction import Transaction

reactions = Reactions()


def the_reservation(message: OrderPlaced | OrderConfirmed | OrderCancelled | PaymentDeclined) -> tuple[UUID]:
    return (message.order_id,)


def items_of_order(message: OrderPlaced, _: Transaction) -> Iterable[UUID]:
    return (stock_item_id(line.sku) for line in message.lines)


def items_of_reservation(
    message: OrderConfirmed | OrderCancelled | PaymentDeclined, transaction: Transaction
) -> Iterable[UUID]:
    reservation = transaction.find(Reservation, message.order_id)
    return (stock_item_id(line["sku"]) for line in reservation.lines) if reservation else ()


@reactions.to(OrderPlaced, loads=the_reservation, locks=items_of_order)
def when_order_placed_reserve_stock(message: OrderPlaced, transaction: Transaction) -> None:
    wanted: Counter[str] = Counter()
    for line in message.lines:
        wanted[line.sku] += line.quantity
    lines = [ReservedLine(sku=sku, quantity=quantity) for sku, quantity in wanted.items()]
    reserve_stock(transaction, message.order_id, lines, message.total, message.currency, message.card)


@reactions.to(PaymentDeclined, loads=the_reservation, locks=items_of_reservation)
def when_payment_declined_release_stock(message: PaymentDeclined, transaction: Transaction) -> None:
    release_stock(transaction, message.order_id)


@reactions.to(OrderCancelled, loads=the_reservation, locks=items_of_reservation)
def when_order_cancelled_release_stock(message: OrderCancelled, transaction: Transaction) -> None:
    release_stock(transaction, message.order_id)


@reactions.to(OrderConfirmed, loads=the_reservation, locks=items_of_reservation)
def when_order_confirmed_ship_stock(message: OrderConfirmed, transaction: Transaction) -> None:
    ship_stock(transaction, message.order_id)
