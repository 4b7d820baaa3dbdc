"""Aggregates: the order, its payment, its reservation and its part of the stock, after all their events."""

from collections.abc import Iterator
from typing import Any

from devstack.incident import rules
from devstack.incident.records import INVENTORY, ORDERS, PAYMENTS, EventRow, Records
from inventory_service.reservation import Reservation
from inventory_service.stock import StockItem
from order_service.order import Order
from payment_service.payment import Payment


class Aggregates:
    """Of the records of one order that was placed; `names` has SKU -> its invented name."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self.placed = records.events[ORDERS][0].event
        skus = dict.fromkeys(line["sku"] for line in self.placed.lines)
        self.names = {sku: f"sku-{number}" for number, sku in enumerate(skus, 1)}
        self.order: Order = folded(records.events[ORDERS])
        self.payment: Payment | None = folded(records.events[PAYMENTS])
        self.reservation: Reservation | None = folded(records.events[INVENTORY])
        self.moves = {self.names[sku]: list(self._moves(sku)) for sku in self.names}
        """Invented name -> topics and events of what its stock has done for the order."""

    def _moves(self, sku: str) -> Iterator[tuple[str, Any]]:
        for row in self.records.stock[sku]:
            if row.topic in rules.SIGNS and (event := row.event).order_id == self.records.order_id:
                yield row.topic, event

    def stock(self) -> dict[str, int]:
        """Invented name -> pieces when the stock of the order was decided on; now, when it was not."""
        return {self.names[sku]: self._available(sku) for sku in self.names}

    def _available(self, sku: str) -> int:
        first = next((row.position for row in self.records.events[INVENTORY]), None)
        rows = [row for row in self.records.stock[sku] if first is None or row.position < first]
        before = [row for row in rows if getattr(row.event, "order_id", None) != self.records.order_id]
        item: StockItem | None = folded(before)
        return item.available if item else 0

    def renamed_reservation(self) -> Reservation | None:
        """With the invented names."""
        found: Reservation | None = folded(self.records.events[INVENTORY])
        if found:
            found.lines = [{**line, "sku": self.names.get(line["sku"], line["sku"])} for line in found.lines]
        return found


def folded(rows: list[EventRow]) -> Any:
    """The aggregate after these events; None after none."""
    aggregate = None
    for row in rows:
        aggregate = row.event.mutate(aggregate)
    return aggregate
