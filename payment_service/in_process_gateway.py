"""A card processor inside the process, for benchmarks and tests: it answers as Stripe does, without a network."""

from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from uuid import UUID

from payment_service.cards import SUCCEEDED, TestCard, card_named, decline_reason
from payment_service.gateway import (
    Captured,
    CardProcessorBusy,
    CardProcessorRefused,
    CardProcessorUnavailable,
    ChargeAnswer,
    ChargeRequest,
    Declined,
    NotCharged,
    RefundAnswer,
    Refunded,
    RefundFailed,
    RefundPending,
)

FOREVER = 1_000_000
"""The failures of a card that is never answered."""


@dataclass
class OrderAtProcessor:
    """What was asked for an order, and how it stands."""

    requested: tuple[int, str, str]
    failures_left: int
    answer: ChargeAnswer | None = None
    refunds: dict[tuple[int | None, int], str] = field(default_factory=dict)
    """Part (None: the rest) and number of failures before the refund -> id of the refund."""
    disputed_by: tuple[int | None, int] | None = None
    """The refund that was refused because the charge is disputed."""


@dataclass
class RefundAtProcessor:
    """A refund and the statuses that it still goes through, one at each look."""

    amount: int
    statuses: tuple[str, ...]


class InProcessGateway:
    """Keeps charges and refunds in memory; threads may share one. It fails only for the cards that ask for it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._orders: dict[UUID, OrderAtProcessor] = {}
        self._refunds: dict[str, RefundAtProcessor] = {}

    def charge(self, request: ChargeRequest) -> ChargeAnswer:
        with self._lock:
            order = self._order(request)
            if order.answer is None and order.failures_left and not _is_charged_first(request.card):
                order.failures_left -= 1
                raise failure_of(request.card)(f"The card of order {request.order_id} asks for this failure.")
            order.answer = order.answer or _decide_charge(request)
            if order.failures_left:
                order.failures_left -= 1
                raise CardProcessorUnavailable(f"The card of order {request.order_id} asks for no answer.")
            return order.answer

    def withdraw(self, request: ChargeRequest) -> ChargeAnswer:
        with self._lock:
            order = self._order(request)
            order.answer = order.answer or NotCharged()
            order.failures_left = 0
            return order.answer

    def refund(
        self,
        order_id: UUID,
        charge_id: str,
        amount: int,
        failed_before: int = 0,
        part: int | None = None,
        since: datetime | None = None,
    ) -> RefundAnswer:
        with self._lock:
            order = self._orders.get(order_id)
            charge = order.answer if order else None
            if order is None or not isinstance(charge, Captured) or charge.charge_id != charge_id:
                raise CardProcessorRefused(f"Order {order_id} has no charge {charge_id}.")
            key = (part, failed_before)
            if key not in order.refunds:
                return self._add_refund(order, charge, amount, key)
            refund_id = order.refunds[key]
            if (before := self._refunds[refund_id].amount) != amount:
                raise CardProcessorRefused(f"Order {order_id} was refunded before with {before}, not {amount}.")
            return self._look(refund_id)

    def find_refund(self, refund_id: str) -> RefundAnswer:
        with self._lock:
            return self._look(refund_id)

    def _order(self, request: ChargeRequest) -> OrderAtProcessor:
        requested = (request.amount, request.currency.upper(), request.card)
        new = OrderAtProcessor(requested, _failures(request.card))
        order = self._orders.setdefault(request.order_id, new)
        if order.requested != requested:
            raise CardProcessorRefused(
                f"Order {request.order_id} was charged before with {order.requested}, not {requested}."
            )
        return order

    def _add_refund(
        self, order: OrderAtProcessor, charge: Captured, amount: int, key: tuple[int | None, int]
    ) -> RefundAnswer:
        statuses = SUCCEEDED if order.refunds else (card_named(order.requested[2]) or TestCard()).refund
        if statuses == ("disputed",):
            order.disputed_by = order.disputed_by or key
            if order.disputed_by == key:
                return RefundFailed("", "charge_disputed")
            statuses = SUCCEEDED
        if amount > charge.amount - self._holding(order):
            return RefundFailed("", "invalid_amount")
        part, failed_before = key
        refund_id = charge.charge_id.replace("ch_", "re_") + (f"_part_{part}" if part else "")
        refund_id += f"_{failed_before}" if failed_before else ""
        order.refunds[key] = refund_id
        self._refunds[refund_id] = RefundAtProcessor(amount, statuses)
        return _refund_answer(refund_id, self._refunds[refund_id])

    def _holding(self, order: OrderAtProcessor) -> int:
        """Minor units of the refunds of a charge that have not failed."""
        refunds = [self._refunds[refund_id] for refund_id in order.refunds.values()]
        return sum(refund.amount for refund in refunds if refund.statuses[0] != "failed")

    def _look(self, refund_id: str) -> RefundAnswer:
        refund = self._refunds[refund_id]
        refund.statuses = refund.statuses[1:] or refund.statuses
        return _refund_answer(refund_id, refund)


def _refund_answer(refund_id: str, refund: RefundAtProcessor) -> RefundAnswer:
    match refund.statuses[0]:
        case "pending":
            return RefundPending(refund_id)
        case "failed":
            return RefundFailed(refund_id, "expired_or_canceled_card")
        case _:
            return Refunded(refund_id, refund.amount)


def _failures(card: str) -> int:
    known = card_named(card) or TestCard()
    return known.failed_attempts + known.rate_limited + known.stored_failures + known.silent + known.mute * FOREVER


def failure_of(card: str) -> type[CardProcessorUnavailable]:
    return CardProcessorBusy if (card_named(card) or TestCard()).rate_limited else CardProcessorUnavailable


def _is_charged_first(card: str) -> bool:
    known = card_named(card) or TestCard()
    return known.silent or known.charged_before_failure


def _decide_charge(request: ChargeRequest) -> ChargeAnswer:
    card = card_named(request.card)
    if request.amount < 1:
        return Declined("parameter_invalid_integer")
    if card is None:
        return Declined("resource_missing")
    if card.decline_code:
        return Declined(decline_reason("card_declined", card.decline_code))
    return Captured(f"ch_{request.order_id.hex}", request.amount, request.currency.upper())
