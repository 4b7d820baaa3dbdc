"""What one order has set aside: all its lines or none, and the memory of a cancellation that came first."""

from uuid import UUID

from eventsourcing.domain import AggregateCreated, AggregateEvent, BaseAggregate, event

from inventory_service.stock import Line


class Reservation(BaseAggregate[UUID]):
    """Has the id of its order. States: open, reserved, rejected, released, shipped, barred."""

    TOPIC = "reservation"

    class Event(AggregateEvent):
        """Something that happened to a reservation."""

    class Opened(Event, AggregateCreated):
        TOPIC = "reservation.opened"

    class Reserved(Event):
        TOPIC = "reservation.reserved"
        lines: list[Line]
        amount: int
        currency: str
        card: str

    class Rejected(Event):
        TOPIC = "reservation.rejected"
        reason: str

    class Barred(Event):
        TOPIC = "reservation.barred"

    class Released(Event):
        TOPIC = "reservation.released"
        lines: list[Line]
        returned: bool

    class Shipped(Event):
        TOPIC = "reservation.shipped"
        lines: list[Line]

    @event(Opened)
    def __init__(self, id: UUID) -> None:
        self._id = id
        self.state = "open"
        self.lines: list[Line] = []
        self.reason = ""

    @event(Reserved)
    def reserve(self, lines: list[Line], amount: int, currency: str, card: str) -> None:
        """Every line is set aside; `amount` in minor units is what the order costs."""
        self.state = "reserved"
        self.lines = lines

    @event(Rejected)
    def reject(self, reason: str) -> None:
        """A line could not be set aside, so none was."""
        self.state = "rejected"
        self.reason = reason

    @event(Barred)
    def bar(self) -> None:
        """The order was cancelled before anything was set aside: nothing ever will be."""
        self.state = "barred"

    def release(self) -> None:
        """Nothing is set aside any more; what had been shipped is on hand again."""
        self._release(self.lines, self.state == "shipped")

    def ship(self) -> None:
        """What was set aside has left."""
        self._ship(self.lines)

    @event(Released)
    def _release(self, lines: list[Line], returned: bool) -> None:
        self.state = "released"

    @event(Shipped)
    def _ship(self, lines: list[Line]) -> None:
        self.state = "shipped"
