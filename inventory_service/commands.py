"""What one can ask of the inventory service; each command decides and saves, the caller's transaction keeps."""

from collections.abc import Sequence
from uuid import UUID

from inventory_service.reservation import Reservation
from inventory_service.stock import Line, StockItem, stock_item_id
from ordersaga.store.transaction import Transaction


class NotReserved(Exception):
    """The order is confirmed but nothing is set aside for it: its reservation has not come in, or is gone."""


def receive_stock(transaction: Transaction, sku: str, quantity: int) -> StockItem:
    """Goods have come in."""
    item_id = stock_item_id(sku)
    transaction.lock([item_id])
    item = transaction.find(StockItem, item_id) or StockItem(id=item_id, sku=sku)
    item.receive(quantity)
    transaction.save(item)
    return item


def reserve_stock(
    transaction: Transaction, order_id: UUID, lines: Sequence[Line], amount: int, currency: str, card: str
) -> None:
    """Set every line aside, or none and say which product is short; nothing once the order was cancelled."""
    reservation = transaction.find(Reservation, order_id) or Reservation(id=order_id)
    if reservation.state != "open":
        return
    items = {line["sku"]: item for line in lines if (item := with_enough(transaction, line))}
    short = [line["sku"] for line in lines if line["sku"] not in items]
    if short:
        reservation.reject(f"not enough stock of {', '.join(short)}")
    else:
        for line in lines:
            item = items[line["sku"]]
            item.reserve(order_id, line["quantity"])
            transaction.save(item)
        reservation.reserve(list(lines), amount, currency, card)
    transaction.save(reservation)


def with_enough(transaction: Transaction, line: Line) -> StockItem | None:
    """The stock of this line, if all of it can be set aside."""
    item = transaction.find(StockItem, stock_item_id(line["sku"]))
    return item if item is not None and item.available >= line["quantity"] else None


def release_stock(transaction: Transaction, order_id: UUID) -> None:
    """Undo whatever was set aside or shipped; what was not set aside yet never will be."""
    reservation = transaction.find(Reservation, order_id) or Reservation(id=order_id)
    if reservation.state == "open":
        reservation.bar()
    elif reservation.state in ("reserved", "shipped"):
        shipped = reservation.state == "shipped"
        for line in reservation.lines:
            item = transaction.get(StockItem, stock_item_id(line["sku"]))
            undo = item.take_back if shipped else item.release
            undo(order_id, line["quantity"])
            transaction.save(item)
        reservation.release()
    transaction.save(reservation)


def ship_stock(transaction: Transaction, order_id: UUID) -> None:
    """What is set aside for the order leaves.

    Raises:
        NotReserved: nothing has been set aside for it.
    """
    reservation = transaction.find(Reservation, order_id)
    if reservation is None or reservation.state not in ("reserved", "shipped", "released"):
        raise NotReserved(f"order {order_id} is confirmed, but nothing is set aside for it")
    if reservation.state == "reserved":
        for line in reservation.lines:
            item = transaction.get(StockItem, stock_item_id(line["sku"]))
            item.ship(order_id, line["quantity"])
            transaction.save(item)
        reservation.ship()
        transaction.save(reservation)
