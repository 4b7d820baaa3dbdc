"""What must hold at every moment of the saga, and how every order must have ended when all is quiet."""

from collections import Counter
from uuid import UUID

from contracts.payments import LateChargeMade
from inventory_service.reservation import Reservation
from inventory_service.stock import StockItem, stock_item_id
from order_service.order import Order
from payment_service.payment import Payment
from tests.shop.support.saga import Saga

LATE = LateChargeMade.NAME
CANCELLED_ENDS = {
    ("cancelled", stock, payment)
    for stock in ("rejected", "released", "voided")
    for payment in ("declined", "refunded", "refund_failed", "voided")
}


def check_stock(saga: Saga) -> None:
    """Never negative, never oversold, and every piece is somewhere."""
    reserved, shipped = Counter[str](), Counter[str]()
    for reservation in reservations(saga).values():
        for line in reservation.lines:
            reserved[line["sku"]] += line["quantity"] if reservation.state == "reserved" else 0
            shipped[line["sku"]] += line["quantity"] if reservation.state == "shipped" else 0
    for sku, received in saga.received.items():
        item = saga.parties["inventory_service"].find(StockItem, stock_item_id(sku))
        assert item is not None
        assert 0 <= item.reserved <= item.on_hand, f"{sku} is oversold"
        assert item.reserved == reserved[sku], f"{sku} has pieces reserved for nobody"
        assert item.on_hand == received - shipped[sku], f"{sku} has lost or gained pieces"


def reservations(saga: Saga) -> dict[UUID, Reservation]:
    found = {order_id: saga.parties["inventory_service"].find(Reservation, order_id) for order_id in saga.orders}
    return {order_id: reservation for order_id, reservation in found.items() if reservation}


def check_end(saga: Saga) -> None:
    """Every order is confirmed, shipped and charged once, or cancelled with nothing reserved and nothing kept.

    The money of a refund that failed is kept, and the payment says so.
    """
    check_stock(saga)
    kept = reservations(saga)
    for order_id in saga.orders:
        order = saga.parties["order_service"].find(Order, order_id)
        payment = saga.parties["payment_service"].find(Payment, order_id)
        assert order is not None
        ended = (order.state, kept[order_id].state, payment and payment.state)
        if order.state == "confirmed":
            assert payment is not None
            assert ended == ("confirmed", "shipped", "captured")
            assert saga.till.charges(order_id) == {order.charge_id: order.total}, "not charged exactly once"
            assert saga.till.kept(order_id) == order.total - payment.refunded, "a confirmed order was given money back"
            assert {part["state"] for part in payment.parts} <= {"refunded", "failed"}, "a part was forgotten"
        else:
            assert ended in CANCELLED_ENDS, f"order, stock and payment ended as {ended}"
            owed = owed_of(payment) if payment else 0
            assert saga.till.kept(order_id) == owed, "money of a cancelled order was kept, and nobody says so"
            assert ended[2] in ("refunded", "refund_failed") or not saga.till.charges(order_id), "charged without trace"
    late = {message.key for message in saga.parties["payment_service"].said_after(0) if message.contract == LATE}
    assert saga.asks_early or late.isdisjoint(map(str, saga.orders)), "a cancelled order was charged"


def owed_of(payment: Payment) -> int:
    """Minor units of the refunds that have failed: the payment says that they are owed."""
    rest = payment.refund_amount if payment.state == "refund_failed" else 0
    return rest + sum(part["amount"] for part in payment.failed_parts())
