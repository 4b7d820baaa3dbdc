"""The contracts that the payment service announces."""

from typing import ClassVar
from uuid import UUID

from contracts.contract import Contract

SOURCE = "payment_service"


class PaymentCaptured(Contract):
    """The card was charged once, for the total of the order."""

    NAME: ClassVar[str] = "payments.payment_captured.v1"
    SOURCE: ClassVar[str] = SOURCE

    order_id: UUID
    charge_id: str
    amount: int
    """Minor units."""
    currency: str


class PaymentDeclined(Contract):
    """The card processor declined the charge; nothing was charged."""

    NAME: ClassVar[str] = "payments.payment_declined.v1"
    SOURCE: ClassVar[str] = SOURCE

    order_id: UUID
    reason: str


class PaymentRefunded(Contract):
    """The whole charge was refunded."""

    NAME: ClassVar[str] = "payments.payment_refunded.v1"
    SOURCE: ClassVar[str] = SOURCE

    order_id: UUID
    charge_id: str
    refund_id: str
    amount: int
    """Minor units."""
    currency: str


class LateChargeMade(Contract):
    """The card was charged while the order was being cancelled; payments itself reacts and refunds it."""

    NAME: ClassVar[str] = "payments.late_charge_made.v1"
    SOURCE: ClassVar[str] = SOURCE

    order_id: UUID
    charge_id: str
    amount: int
    """Minor units."""
    currency: str
