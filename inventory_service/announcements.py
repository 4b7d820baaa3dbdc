"""The events of the inventory service that are announced, each as its contract."""

from contracts.inventory import (
    StockCorrected,
    StockLine,
    StockReceived,
    StockRejected,
    StockReleased,
    StockReserved,
    StockShipped,
)
from inventory_service.reservation import Reservation
from inventory_service.stock import ReservedLine, StockItem
from ordersaga.store.announcements import Announcements

announcements = Announcements("inventory_service")


def stock_lines(lines: list[ReservedLine]) -> tuple[StockLine, ...]:
    return tuple(StockLine(**line) for line in lines)


@announcements.of(StockItem.Received)
def stock_received(event: StockItem.Received) -> StockReceived:
    return StockReceived(sku=event.sku, quantity=event.quantity)


@announcements.of(StockItem.Corrected)
def stock_corrected(event: StockItem.Corrected) -> StockCorrected:
    return StockCorrected(sku=event.sku, quantity=event.quantity, reason=event.reason)


@announcements.of(Reservation.Reserved)
def stock_reserved(event: Reservation.Reserved) -> StockReserved:
    return StockReserved(
        order_id=event.originator_id,
        lines=stock_lines(event.lines),
        amount=event.amount,
        currency=event.currency,
        card=event.card,
    )


@announcements.of(Reservation.Rejected)
def stock_rejected(event: Reservation.Rejected) -> StockRejected:
    return StockRejected(order_id=event.originator_id, reason=event.reason)


@announcements.of(Reservation.Released)
def stock_released(event: Reservation.Released) -> StockReleased:
    return StockReleased(order_id=event.originator_id, lines=stock_lines(event.lines), returned=event.returned)


@announcements.of(Reservation.Shipped)
def stock_shipped(event: Reservation.Shipped) -> StockShipped:
    return StockShipped(order_id=event.originator_id, lines=stock_lines(event.lines))
