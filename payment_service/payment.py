"""The payment of one order: captured once or never, refunded in parts, and whole when the order is cancelled."""

from collections.abc import Iterator
from typing import Any, Literal
from uuid import UUID

from eventsourcing.domain import AggregateCreated, AggregateEvent, BaseAggregate, event

from payment_service.part import AT_PROCESSOR, Part, new_part

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
    """Less than one minor unit, or more than is left; nothing was recorded."""


def require_amount(amount: int) -> None:
    """Raises ImpossibleAmount for less than one minor unit."""
    if amount < 1:
        raise ImpossibleAmount(f"{amount} minor units cannot be charged: it must be at least 1")


class Payment(BaseAggregate[UUID]):
    """Has the id of its order. `stock_reserved` and `order_cancelled` may arrive in either order.

    `state` is of the charge, and of the refund that a cancellation makes: that of the rest, which is all that the parts
    leave. A part that the card processor was not asked for by then, or has refused, is a part of the rest.
    """

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
        left: int
        """Minor units that are captured and not refunded; 0 in events older than this field."""
        class_version = 2

        @staticmethod
        def upcast_v1_v2(state: dict[str, Any]) -> None:
            state["left"] = 0

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

    class RefundedInParts(Event):
        TOPIC = "payment.refunded_in_parts"

    class PartRequested(Event):
        TOPIC = "payment.part_requested"
        part: int
        amount: int
        currency: str
        reason: str

    class PartRefunded(Event):
        TOPIC = "payment.part_refunded"
        part: int
        charge_id: str
        refund_id: str
        amount: int
        currency: str
        left: int

    class PartPending(Event):
        TOPIC = "payment.part_pending"
        part: int
        charge_id: str
        refund_id: str
        amount: int
        currency: str

    class PartFailed(Event):
        TOPIC = "payment.part_failed"
        part: int
        charge_id: str
        refund_id: str
        reason: str
        amount: int
        currency: str

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
        self.refund_amount = 0
        self.parts: list[Part] = []

    @property
    def may_be_charged(self) -> bool:
        """Whether no answer of the card processor is recorded and the order was not cancelled."""
        return self.state == "open"

    @property
    def is_refundable(self) -> bool:
        """Whether there is a charge of which no refund of the rest is under way."""
        return self.state in ("captured", "charged_late", "refund_requested")

    @property
    def made_in_parts(self) -> int:
        """Minor units of the parts that the card processor has made."""
        return sum(part["amount"] for part in self.parts if part["state"] in AT_PROCESSOR)

    @property
    def rest(self) -> int:
        """Minor units that a cancellation refunds beside these parts."""
        return self.refund_amount or self.amount - self.made_in_parts

    @property
    def refunded(self) -> int:
        """Minor units that the customer has back."""
        parts = sum(part["amount"] for part in self.parts if part["state"] == "refunded")
        return parts + (self.refund_amount if self.state == "refunded" else 0)

    @property
    def refundable(self) -> int:
        """Minor units of which another part may be requested."""
        return self.amount - sum(part["amount"] for part in self.parts) if self.state == "captured" else 0

    def watched(self) -> Iterator[str]:
        """Ids of the refunds of which the card processor may still tell news."""
        if self.state in ("refund_pending", "refunded") and self.refund_id:
            yield self.refund_id
        yield from (part["refund_id"] for part in self.parts if part["state"] in AT_PROCESSOR)

    def is_watched(self, refund_id: str) -> bool:
        """Whether the card processor may still tell news of this refund."""
        return refund_id in self.watched()

    @property
    def has_pending_refund(self) -> bool:
        return self.state == "refund_pending" or any(part["state"] == "pending" for part in self.parts)

    def failed_parts(self) -> list[Part]:
        return [part for part in self.parts if part["state"] == "failed"]

    def part(self, number: int) -> Part:
        """Raises IndexError."""
        return self.parts[number - 1]

    def part_of(self, refund_id: str) -> Part | None:
        """The part whose refund has this id."""
        return next((part for part in self.parts if part["refund_id"] == refund_id), None)

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
        """The rest of the charge was refunded: all of it, unless parts were."""
        if self.state != "refunded":
            left = self.amount - self.refunded - self.rest
            self._refund(self.charge_id, refund_id, self.rest, self.currency, left)

    def await_refund(self, refund_id: str) -> None:
        """The card processor has accepted the refund and has not ended it."""
        if self.state != "refund_pending":
            self._await_refund(self.charge_id, refund_id, self.rest, self.currency)

    def fail_refund(self, refund_id: str, reason: str) -> None:
        """The refund was refused or has not reached the customer: the money is still owed."""
        if self.state != "refund_failed":
            self._fail_refund(self.charge_id, refund_id, reason, self.rest, self.currency)

    def request_refund(self, reason: str) -> None:
        """A person has the failed refund tried again."""
        if self.state == "refund_failed":
            self._request_refund(reason)

    @event(RefundedInParts)
    def end_refunded_in_parts(self) -> None:
        """The order was cancelled and nothing is left to refund: the parts are all that was charged."""
        self._take_over(0)
        self.state = "refunded"

    @event(Refunded)
    def _refund(self, charge_id: str, refund_id: str, amount: int, currency: str, left: int) -> None:
        self._take_over(amount)
        self.state = "refunded"
        self.refund_id = refund_id

    @event(RefundPending)
    def _await_refund(self, charge_id: str, refund_id: str, amount: int, currency: str) -> None:
        self._take_over(amount)
        self.state = "refund_pending"
        self.refund_id = refund_id

    @event(RefundFailed)
    def _fail_refund(self, charge_id: str, refund_id: str, reason: str, amount: int, currency: str) -> None:
        self._take_over(amount)
        self.state = "refund_failed"
        self.refund_id = refund_id
        self.reason = reason
        self.failed_refunds += 1

    @event(RefundRequested)
    def _request_refund(self, reason: str) -> None:
        self.state = "refund_requested"

    def _take_over(self, amount: int) -> None:
        """At its first answer, fix the amount of the refund of the rest; it takes over the parts that were not made."""
        if self.state in ("captured", "charged_late"):
            self.refund_amount = amount
            for part in self.parts:
                if part["state"] not in AT_PROCESSOR:
                    part["state"] = "taken_over"

    def request_part(self, amount: int, reason: str) -> Part:
        """A person has a part of the charge refunded. Raises ImpossibleAmount."""
        require_amount(amount)
        if amount > self.refundable:
            raise ImpossibleAmount(f"{amount} minor units are more than the {self.refundable} that are left")
        self._request_part(len(self.parts) + 1, amount, self.currency, reason)
        return self.parts[-1]

    def request_part_again(self, number: int, reason: str) -> None:
        """A person has the failed refund of a part tried again."""
        part = self.part(number)
        if part["state"] == "failed":
            self._request_part(number, part["amount"], self.currency, reason)

    def refund_part(self, number: int, refund_id: str) -> None:
        """The part was refunded."""
        part = self.part(number)
        if part["state"] != "refunded":
            left = self.amount - self.refunded - part["amount"]
            self._refund_part(number, self.charge_id, refund_id, part["amount"], self.currency, left)

    def await_part(self, number: int, refund_id: str) -> None:
        """The card processor has accepted the refund of the part and has not ended it."""
        part = self.part(number)
        if part["state"] not in AT_PROCESSOR:
            self._await_part(number, self.charge_id, refund_id, part["amount"], self.currency)

    def fail_part(self, number: int, refund_id: str, reason: str) -> None:
        """The refund of the part was refused or has not reached the customer."""
        part = self.part(number)
        if part["state"] not in ("failed", "taken_over"):
            self._fail_part(number, self.charge_id, refund_id, reason, part["amount"], self.currency)

    @event(PartRequested)
    def _request_part(self, part: int, amount: int, currency: str, reason: str) -> None:
        if part <= len(self.parts):
            self.part(part)["state"] = "requested"
        else:
            self.parts.append(new_part(part, amount, reason))

    @event(PartRefunded)
    def _refund_part(self, part: int, charge_id: str, refund_id: str, amount: int, currency: str, left: int) -> None:
        self.part(part).update({"state": "refunded", "refund_id": refund_id})

    @event(PartPending)
    def _await_part(self, part: int, charge_id: str, refund_id: str, amount: int, currency: str) -> None:
        self.part(part).update({"state": "pending", "refund_id": refund_id})

    @event(PartFailed)
    def _fail_part(self, part: int, charge_id: str, refund_id: str, reason: str, amount: int, currency: str) -> None:
        found = self.part(part)
        found.update({"state": "failed", "refund_id": refund_id, "failure": reason})
        found["failed_refunds"] += 1
