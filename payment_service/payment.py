"""The payment of one order: captured once or never, and given back when the order is cancelled."""

from uuid import UUID

from eventsourcing.domain import AggregateCreated, AggregateEvent, BaseAggregate, event


class Payment(BaseAggregate[UUID]):
    """Has the id of its order. It answers every order of arrival of stock_reserved and order_cancelled."""

    TOPIC = "payment"

    class Event(AggregateEvent):
        """Something that happened to a payment."""

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

    class Barred(Event):
        TOPIC = "payment.barred"

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
        """No answer of the card processor is recorded and the order has not been cancelled."""
        return self.state == "open"

    @property
    def holds_money(self) -> bool:
        """Something was charged that has not been given back."""
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
        """The card processor said no."""
        self.state = "declined"
        self.reason = reason

    @event(Barred)
    def bar(self) -> None:
        """The order was cancelled before anything was charged: it never will be."""
        self.state = "barred"

    @event(ChargedLate)
    def charge_late(self, charge_id: str, amount: int, currency: str) -> None:
        """The order was cancelled while the card was being charged: the money has to go back."""
        self.state = "charged_late"
        self.charge_id = charge_id
        self.amount = amount
        self.currency = currency

    def refund(self, refund_id: str) -> None:
        """All that was captured has gone back."""
        self._refund(self.charge_id, refund_id, self.amount, self.currency)

    @event(Refunded)
    def _refund(self, charge_id: str, refund_id: str, amount: int, currency: str) -> None:
        self.state = "refunded"
        self.refund_id = refund_id
