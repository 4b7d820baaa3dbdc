"""An order: placed, then confirmed or cancelled."""

from datetime import datetime
from typing import Any, Literal, TypedDict
from uuid import UUID

from eventsourcing.domain import AggregateCreated, AggregateEvent, BaseAggregate, event

State = Literal["placed", "confirmed", "cancelled"]


class PricedLine(TypedDict):
    """A quantity of one product, at the price when the order was placed, in minor units."""

    sku: str
    quantity: int
    unit_price: int


class ImpossibleOrder(ValueError):
    """No line, less than one piece, or a price below one minor unit; nothing was recorded."""


class Order(BaseAggregate[UUID]):
    """A command that was carried out before changes nothing."""

    TOPIC = "order"

    class Event(AggregateEvent):
        """An event of an order."""

    class Placed(Event, AggregateCreated):
        TOPIC = "order.placed"
        customer: str
        lines: list[PricedLine]
        total: int
        currency: str
        card: str
        complete_by: datetime | None
        """The order is cancelled at this time unless it is confirmed by then; None in events older than this field."""
        contact: str | None
        """Sealed; None when none was given, and in events older than this field."""

        class_version = 3

        @staticmethod
        def upcast_v1_v2(state: dict[str, Any]) -> None:
            state["complete_by"] = None

        @staticmethod
        def upcast_v2_v3(state: dict[str, Any]) -> None:
            state["contact"] = None

    class Confirmed(Event):
        TOPIC = "order.confirmed"
        charge_id: str

    class Cancelled(Event):
        TOPIC = "order.cancelled"
        reason: str

    @event(Placed)
    def __init__(
        self,
        id: UUID,
        customer: str,
        lines: list[PricedLine],
        total: int,
        currency: str,
        card: str,
        complete_by: datetime | None = None,
        contact: str | None = None,
    ) -> None:
        self._id = id
        self.customer = customer
        self.lines = lines
        self.total = total
        self.currency = currency
        self.card = card
        self.complete_by = complete_by
        self.contact = contact
        self.state: State = "placed"
        self.charge_id = ""
        self.reason = ""

    @classmethod
    def place(
        cls,
        id: UUID,
        customer: str,
        lines: list[PricedLine],
        currency: str,
        card: str,
        complete_by: datetime | None = None,
        contact: str | None = None,
    ) -> "Order":
        """A new order; its total is that of the lines. Raises ImpossibleOrder."""
        if not lines:
            raise ImpossibleOrder("an order has at least one line")
        for line in lines:
            if line["quantity"] < 1 or line["unit_price"] < 1:
                raise ImpossibleOrder(
                    f"{line['quantity']} of {line['sku']} at {line['unit_price']}: both must be at least 1"
                )
        total = sum(line["quantity"] * line["unit_price"] for line in lines)
        return cls(id, customer, lines, total, currency, card, complete_by, contact)

    def confirm(self, charge_id: str) -> None:
        """The payment was captured; changes nothing once the order is cancelled."""
        if self.state == "placed":
            self._confirm(charge_id)

    def cancel(self, reason: str) -> None:
        """Start the compensation of everything done for the order, also after it was confirmed."""
        if self.state != "cancelled":
            self._cancel(reason)

    def time_out(self) -> None:
        """The deadline has passed; changes nothing once the order is confirmed or cancelled."""
        if self.state == "placed":
            self._cancel("timed_out")

    @event(Confirmed)
    def _confirm(self, charge_id: str) -> None:
        self.state = "confirmed"
        self.charge_id = charge_id

    @event(Cancelled)
    def _cancel(self, reason: str) -> None:
        self.state = "cancelled"
        self.reason = reason
