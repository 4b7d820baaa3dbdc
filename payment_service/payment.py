"""The payment of one order: captured once or never, and refunded when the order is cancelled."""

from typing import Literal
from uuid import UUID

from eventsourcing.domain import AggregateCreated, AggregateEvent, BaseAggregate, event

State = Literal[
    "open",
    "captured",
    "declined",
    "voided",
    "charged_late",
    "refund_pending",
    "refund_failed",
    "refund_requested",
    "refunded",
]


class ImpossibleAmount(ValueError):
    """Less than one minor unit; nothing was recorded."""


def require_amount(amount: int) -> None:
    """Raises ImpossibleAmount for less than one minor unit."""
    if amount < 1:
        raise ImpossibleAmount(f"{amount} minor units cannot be charged: it must be at least 1")


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

    class RefundPending(Event):
        TOPIC = "payment.refund_pending"
        charge_id: str
        refund_id: str
        amount: int
        currency: str

    class RefundFailed(Event):
        TOPIC = "payment.refund_failed"
        charge_id: str
        refund_id: str
        reason: str
        amount: int
        currency: str

    class RefundRequested(Event):
        TOPIC = "payment.refund_requested"
        reason: str

    @event(Opened)
    def __init__(self, id: UUID) -> None:
        self._id = id
        self.state: State = "open"
        self.charge_id = ""
        self.refund_id = ""
        self.amount = 0
        self.currency = ""
        self.reason = ""
        self.failed_refunds = 0

    @property
    def may_be_charged(self) -> bool:
        """Whether no answer of the card processor is recorded and the order was not cancelled."""
        return self.state == "open"

    @property
    def is_refundable(self) -> bool:
        """Whether there is a charge of which no refund is under way."""
        return self.state in ("captured", "charged_late", "refund_requested")

    def is_watched(self, refund_id: str) -> bool:
        """Whether the card processor may still tell news of this refund."""
        return self.state in ("refund_pending", "refunded") and self.refund_id == refund_id

    def capture(self, charge_id: str, amount: int, currency: str) -> None:
        """The card was charged; `amount` in minor units. Raises ImpossibleAmount."""
        require_amount(amount)
        self._capture(charge_id, amount, currency)

    @event(Captured)
    def _capture(self, charge_id: str, amount: int, currency: str) -> None:
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

    def charge_late(self, charge_id: str, amount: int, currency: str) -> None:
        """The order was cancelled while its card was being charged: the charge has to be refunded.

        Raises ImpossibleAmount.
        """
        require_amount(amount)
        self._charge_late(charge_id, amount, currency)

    @event(ChargedLate)
    def _charge_late(self, charge_id: str, amount: int, currency: str) -> None:
        self.state = "charged_late"
        self.charge_id = charge_id
        self.amount = amount
        self.currency = currency

    def refund(self, refund_id: str) -> None:
        """The whole charge was refunded."""
        if self.state != "refunded":
            self._refund(self.charge_id, refund_id, self.amount, self.currency)

    def await_refund(self, refund_id: str) -> None:
        """The card processor has accepted the refund and has not ended it."""
        if self.state != "refund_pending":
            self._await_refund(self.charge_id, refund_id, self.amount, self.currency)

    def fail_refund(self, refund_id: str, reason: str) -> None:
        """The refund was refused or has not reached the customer: the money is still owed."""
        if self.state != "refund_failed":
            self._fail_refund(self.charge_id, refund_id, reason, self.amount, self.currency)

    def request_refund(self, reason: str) -> None:
        """A person has the failed refund tried again."""
        if self.state == "refund_failed":
            self._request_refund(reason)

    @event(Refunded)
    def _refund(self, charge_id: str, refund_id: str, amount: int, currency: str) -> None:
        self.state = "refunded"
        self.refund_id = refund_id

    @event(RefundPending)
    def _await_refund(self, charge_id: str, refund_id: str, amount: int, currency: str) -> None:
        self.state = "refund_pending"
        self.refund_id = refund_id

    @event(RefundFailed)
    def _fail_refund(self, charge_id: str, refund_id: str, reason: str, amount: int, currency: str) -> None:
        self.state = "refund_failed"
        self.refund_id = refund_id
        self.reason = reason
        self.failed_refunds += 1

    @event(RefundRequested)
    def _request_refund(self, reason: str) -> None:
        self.state = "refund_requested"
