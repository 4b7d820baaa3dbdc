"""The commands of the inventory service; each decides and saves, and the caller's transaction commits."""

from collections.abc import Sequence
from uuid import UUID

from inventory_service.reservation import Reservation
from inventory_service.stock import ReservedLine, StockItem, stock_item_id
from ordersaga.store.transaction import Transaction


class NotReserved(Exception):
    """The order is confirmed, but no stock is reserved for it: its reservation has not arrived, or is lost."""


class StockChanged(Exception):
    """The stock is not at the version that the caller has seen."""

    def __init__(self, current: int) -> None:
        super().__init__(f"it is at version {current}")
        self.current = current


def receive_stock(transaction: Transaction, sku: str, quantity: int) -> StockItem:
    """Add a quantity to the stock of a product, which is created with its first receipt."""
    item_id = stock_item_id(sku)
    transaction.lock([item_id])
    item = transaction.find(StockItem, item_id) or StockItem(id=item_id, sku=sku)
    item.receive(quantity)
    transaction.save(item)
    return item


def correct_stock(
    transaction: Transaction, sku: str, quantity: int, reason: str, version: int | None = None
) -> StockItem:
    """Add a quantity to the stock of a product, or with a minus take it off.

    Raises:
        AggregateNotFound: no stock of this product was ever received.
        StockChanged: `version` is given and the stock is at another version.
        NotEnoughStock: fewer pieces are available.
    """
    item_id = stock_item_id(sku)
    transaction.lock([item_id])
    item = transaction.get(StockItem, item_id)
    if version not in (None, item.version):
        raise StockChanged(item.version)
    item.correct(quantity, reason)
    transaction.save(item)
    return item


def reserve_stock(
    transaction: Transaction, order_id: UUID, lines: Sequence[ReservedLine], amount: int, currency: str, card: str
) -> None:
    """Reserve every line, or reject the order and name the products that are short; nothing once it was cancelled."""
    reservation = transaction.find(Reservation, order_id) or Reservation(id=order_id)
    if reservation.state != "open":
        return
    items = {line["sku"]: item for line in lines if (item := find_available(transaction, line))}
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


def find_available(transaction: Transaction, line: ReservedLine) -> StockItem | None:
    """The stock of the line's product, or None when less than its quantity is available."""
    item = transaction.find(StockItem, stock_item_id(line["sku"]))
    return item if item is not None and item.available >= line["quantity"] else None


def release_stock(transaction: Transaction, order_id: UUID) -> None:
    """Release or restock the lines of an order; an order that has no reservation yet never gets one."""
    reservation = transaction.find(Reservation, order_id) or Reservation(id=order_id)
    if reservation.state == "open":
        reservation.void()
    elif reservation.state in ("reserved", "shipped"):
        shipped = reservation.state == "shipped"
        for line in reservation.lines:
            item = transaction.get(StockItem, stock_item_id(line["sku"]))
            undo = item.restock if shipped else item.release
            undo(order_id, line["quantity"])
            transaction.save(item)
        reservation.release()
    transaction.save(reservation)


def ship_stock(transaction: Transaction, order_id: UUID) -> None:
    """Ship what is reserved for the order.

    Raises:
        NotReserved: no stock is reserved for it.
    """
    reservation = transaction.find(Reservation, order_id)
    if reservation is None or reservation.state not in ("reserved", "shipped", "released"):
        raise NotReserved(f"order {order_id} is confirmed, but no stock is reserved for it")
    if reservation.state == "reserved":
        for line in reservation.lines:
            item = transaction.get(StockItem, stock_item_id(line["sku"]))
            item.ship(order_id, line["quantity"])
            transaction.save(item)
        reservation.ship()
        transaction.save(reservation)
