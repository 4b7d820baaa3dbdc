"""What the payment service tells the others."""

from typing import ClassVar
from uuid import UUID

from contracts.contract import Contract


class PaymentCaptured(Contract):
    """The card has been charged once, for the whole amount."""

    NAME: ClassVar[str] = "payments.payment_captured.v1"

    order_id: UUID
    charge_id: str
    amount: int
    """Minor units."""
    currency: str


class PaymentDeclined(Contract):
    """The card processor has answered no; nothing was charged."""

    NAME: ClassVar[str] = "payments.payment_declined.v1"

    order_id: UUID
    reason: str


class PaymentRefunded(Contract):
    """All that was captured has been given back."""

    NAME: ClassVar[str] = "payments.payment_refunded.v1"

    order_id: UUID
    charge_id: str
    refund_id: str
    amount: int
    """Minor units."""
    currency: str


class LateChargeMade(Contract):
    """The card was charged while the order was being cancelled; payments hears this itself and gives it back."""

    NAME: ClassVar[str] = "payments.late_charge_made.v1"

    order_id: UUID
    charge_id: str
    amount: int
    """Minor units."""
    currency: str
