"""Stripe's payment intents and refunds as answers of the gateway."""

from collections.abc import Sequence

import stripe

from payment_service.cards import decline_reason
from payment_service.gateway import (
    Captured,
    CardProcessorRefused,
    ChargeAnswer,
    Declined,
    NotCharged,
    RefundAnswer,
    Refunded,
    RefundFailed,
    RefundPending,
)

REPLAYED = "Idempotent-Replayed"
NO_MONEY_BACK = ("failed", "canceled")
"""The statuses of a refund that did not reach the customer."""
BEST_FIRST = ("succeeded", "processing", "requires_action", "requires_payment_method", "requires_confirmation")


def is_replayed(answer: stripe.StripeObject | stripe.StripeError) -> bool:
    """Whether Stripe had this answer, or this error, stored under the idempotency key."""
    source = answer if isinstance(answer, stripe.StripeError) else answer.last_response
    return bool(source and source.headers and source.headers.get(REPLAYED) == "true")


def settled(intent: stripe.PaymentIntent) -> ChargeAnswer | None:
    """How the intent has ended; None while it can still be confirmed."""
    if intent.status == "canceled":
        return NotCharged()
    if intent.status == "requires_payment_method" and (error := intent.last_payment_error):
        return Declined(decline_reason(error.code, error.decline_code))
    return None if intent.status == "requires_confirmation" else captured(intent)


def captured(intent: stripe.PaymentIntent) -> Captured:
    if intent.status != "succeeded" or intent.latest_charge is None:
        raise CardProcessorRefused(
            f"Payment {intent.id} is {intent.status!r}, but a card payment ends at once. Look at it in the "
            "processor's dashboard."
        )
    charge = intent.latest_charge
    charge_id = charge if isinstance(charge, str) else charge.id
    return Captured(charge_id, intent.amount_received, intent.currency.upper())


def best_of(intents: Sequence[stripe.PaymentIntent]) -> stripe.PaymentIntent:
    """The intent that has got furthest, the oldest of several; a cancelled one if there is no other."""

    def rank(intent: stripe.PaymentIntent) -> tuple[int, int]:
        known = intent.status in BEST_FIRST
        return (BEST_FIRST.index(intent.status) if known else len(BEST_FIRST), intent.created)

    return min(intents, key=rank)


def refund_answer(refund: stripe.Refund) -> RefundAnswer:
    if refund.status == "succeeded":
        return Refunded(refund.id, refund.amount)
    if refund.status in NO_MONEY_BACK:
        return RefundFailed(refund.id, refund.failure_reason or str(refund.status))
    return RefundPending(refund.id)


def part_of(refund: stripe.Refund) -> int | None:
    """The number of the part of the payment that it refunds."""
    metadata = refund.metadata
    return int(metadata["part"]) if metadata and "part" in metadata else None


def refunded_before(refunds: Sequence[stripe.Refund], amount: int) -> RefundAnswer | None:
    """The newest refund that holds, with the sum of all that hold; None while that is less than `amount`."""
    holding = [refund for refund in refunds if refund.status not in NO_MONEY_BACK]
    if not holding or sum(refund.amount for refund in holding) < amount:
        return None
    pending = [refund for refund in holding if refund.status != "succeeded"]
    if pending:
        return RefundPending(pending[0].id)
    return Refunded(holding[0].id, sum(refund.amount for refund in holding))
