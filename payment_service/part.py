"""A part of a payment: an amount of the charge that an operator has refunded."""

from typing import Literal, TypedDict

PartState = Literal["requested", "pending", "refunded", "failed", "taken_over"]
AT_PROCESSOR = ("pending", "refunded")
"""States of a refund that the card processor has made."""


class Part(TypedDict):
    """A refund of a part of the charge, in minor units; one that is `taken_over` is refunded with the rest."""

    number: int
    """From 1."""
    amount: int
    reason: str
    """The operator's."""
    state: PartState
    refund_id: str
    failure: str
    """The card processor's reason of the last failure."""
    failed_refunds: int


def new_part(number: int, amount: int, reason: str) -> Part:
    """A part that was requested."""
    return Part(
        number=number, amount=amount, reason=reason, state="requested", refund_id="", failure="", failed_refunds=0
    )
