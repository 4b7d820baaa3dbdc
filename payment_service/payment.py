"""The payment of one order: captured once or never, and refunded when the order is cancelled."""

from uuid import UUID

from eventsourcing.domain import AggregateCreated, AggregateEvent, BaseAggregate, event


class Payment(BaseAggregate[UUID]):
    """Has the id of its order. `stock_reserved` and `order_cancelled` may arrive in either order."""

    TOPIC = "payment"

    class Event(AggregateEvent):
        """An event of a payment."""

    class Opened(Event, AggregateCreated):
        TOPIC = "payment.opened"

    class Captured(Event):
        TOPIC = "payment.captured"
        charge_id: str
        amount: int
        currency: str

    class Declined(Event):
        TOPIC = "payment.declined"
        reason: str

    class Voided(Event):
        TOPIC = "payment.voided"

    class ChargedLate(Event):
        TOPIC = "payment.charged_late"
        charge_id: str
        amount: int
        currency: str

    class Refunded(Event):
        TOPIC = "payment.refunded"
        charge_id: str
        refund_id: str
        amount: int
        currency: str

    @event(Opened)
    def __init__(self, id: UUID) -> None:
        self._id = id
        self.state = "open"
        self.charge_id = ""
        self.refund_id = ""
        self.amount = 0
        self.currency = ""
        self.reason = ""

    @property
    def may_be_charged(self) -> bool:
        """Whether no answer of the card processor is recorded and the order was not cancelled."""
        return self.state == "open"

    @property
    def is_refundable(self) -> bool:
        """Whether there is a charge that was not refunded."""
        return self.state in ("captured", "charged_late")

    @event(Captured)
    def capture(self, charge_id: str, amount: int, currency: str) -> None:
        """The card was charged; `amount` in minor units."""
        self.state = "captured"
        self.charge_id = charge_id
        self.amount = amount
        self.currency = currency

    @event(Declined)
    def decline(self, reason: str) -> None:
        """The card processor declined the charge."""
        self.state = "declined"
        self.reason = reason

    @event(Voided)
    def void(self) -> None:
        """The order was cancelled before its card was charged: the card is never charged."""
        self.state = "voided"

    @event(ChargedLate)
    def charge_late(self, charge_id: str, amount: int, currency: str) -> None:
        """The order was cancelled while its card was being charged: the charge has to be refunded."""
        self.state = "charged_late"
        self.charge_id = charge_id
        self.amount = amount
        self.currency = currency

    def refund(self, refund_id: str) -> None:
        """The whole charge was refunded."""
        self._refund(self.charge_id, refund_id, self.amount, self.currency)

    @event(Refunded)
    def _refund(self, charge_id: str, refund_id: str, amount: int, currency: str) -> None:
        self.state = "refunded"
        self.refund_id = refund_id
