"""The reservation of one order: all its lines or none; it also remembers a cancellation that arrived first."""

from uuid import UUID

from eventsourcing.domain import AggregateCreated, AggregateEvent, BaseAggregate, event

from inventory_service.stock import ReservedLine, require_pieces


class ImpossibleAmount(ValueError):
    """Less than one minor unit; nothing was recorded."""


class Reservation(BaseAggregate[UUID]):
    """Has the id of its order. States: open, reserved, rejected, released, shipped, voided."""

    TOPIC = "reservation"

    class Event(AggregateEvent):
        """An event of a reservation."""

    class Opened(Event, AggregateCreated):
        TOPIC = "reservation.opened"

    class Reserved(Event):
        TOPIC = "reservation.reserved"
        lines: list[ReservedLine]
        amount: int
        currency: str
        card: str

    class Rejected(Event):
        TOPIC = "reservation.rejected"
        reason: str

    class Voided(Event):
        TOPIC = "reservation.voided"

    class Released(Event):
        TOPIC = "reservation.released"
        lines: list[ReservedLine]
        returned: bool

    class Shipped(Event):
        TOPIC = "reservation.shipped"
        lines: list[ReservedLine]

    @event(Opened)
    def __init__(self, id: UUID) -> None:
        self._id = id
        self.state = "open"
        self.lines: list[ReservedLine] = []
        self.reason = ""

    def reserve(self, lines: list[ReservedLine], amount: int, currency: str, card: str) -> None:
        """Every line is reserved; `amount` is the total of the order, in minor units.

        Raises ImpossibleQuantity for a line of less than one piece, ImpossibleAmount for less than one minor unit.
        """
        for line in lines:
            require_pieces(line["quantity"])
        if amount < 1:
            raise ImpossibleAmount(f"an order of {amount} minor units cannot be reserved: it must be at least 1")
        self._reserve(lines, amount, currency, card)

    @event(Rejected)
    def reject(self, reason: str) -> None:
        """The stock of a line was too small, so no line is reserved."""
        self.state = "rejected"
        self.reason = reason

    @event(Voided)
    def void(self) -> None:
        """The order was cancelled before its lines were reserved: they never are."""
        self.state = "voided"

    def release(self) -> None:
        """Release the reserved lines; shipped lines are on hand again."""
        self._release(self.lines, self.state == "shipped")

    def ship(self) -> None:
        """Ship the reserved lines."""
        self._ship(self.lines)

    @event(Reserved)
    def _reserve(self, lines: list[ReservedLine], amount: int, currency: str, card: str) -> None:
        self.state = "reserved"
        self.lines = lines

    @event(Released)
    def _release(self, lines: list[ReservedLine], returned: bool) -> None:
        self.state = "released"

    @event(Shipped)
    def _ship(self, lines: list[ReservedLine]) -> None:
        self.state = "shipped"
