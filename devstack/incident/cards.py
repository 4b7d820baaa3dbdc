"""Cards: the test card that behaves as the card of an order did."""

from collections.abc import Sequence
from typing import Any

from payment_service.cards import card_named

VISA = "pm_card_visa"
NO_SUCH_CARD = "no_such_card"
DECLINES = {
    "insufficient_funds": "pm_card_chargeDeclinedInsufficientFunds",
    "resource_missing": NO_SUCH_CARD,
}
ENDS_OF_REFUNDS = {
    ("disputed",): "pm_sim_disputed",
    ("pending", "refunded"): "pm_sim_refund_pending",
    ("pending",): "pm_sim_refund_pending",
    ("failed",): "pm_sim_refund_failed",
    ("pending", "failed"): "pm_sim_refund_pending_failed",
    ("refunded", "failed"): "pm_sim_refund_failed_late",
}
WORDS = {
    "refund_pending": "pending",
    "part_pending": "pending",
    "refunded": "refunded",
    "part_refunded": "refunded",
    "refund_failed": "failed",
    "part_failed": "failed",
}


def like(card: str, events: Sequence[tuple[str, Any]]) -> str:
    """A test card stays as it is; for any other, one that had these answers.

    `events` are those of the payment: topic and event.
    """
    if card_named(card):
        return card
    for topic, event in events:
        if topic == "payment.declined":
            return DECLINES.get(event.reason, "pm_card_chargeDeclined")
    return ENDS_OF_REFUNDS.get(first_refund(events), VISA)


def first_refund(events: Sequence[tuple[str, Any]]) -> tuple[str, ...]:
    """The statuses of the first refund, one after the other."""
    found: list[str] = []
    refund = None
    for topic, event in events:
        word = WORDS.get(topic.removeprefix("payment."))
        if word is None or (found and event.refund_id != refund):
            continue
        refund = event.refund_id
        found.append("disputed" if word == "failed" and not refund else word)
    return tuple(found)
