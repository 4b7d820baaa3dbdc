"""The contracts that the payment service announces."""

from typing import Any, ClassVar
from uuid import UUID

from contracts.bounds import Amount, Currency, Left, Part, PartOrNone, Reason, Reference, ReferenceOrNone
from contracts.contract import Contract

SOURCE = "payment_service"


class PaymentCaptured(Contract):
    """The card was charged once, for the total of the order."""

    NAME: ClassVar[str] = "payments.payment_captured.v1"
    SOURCE: ClassVar[str] = SOURCE

    order_id: UUID
    charge_id: Reference
    amount: Amount
    """Minor units."""
    currency: Currency


class PaymentDeclined(Contract):
    """The card processor declined the charge; nothing was charged."""

    NAME: ClassVar[str] = "payments.payment_declined.v1"
    SOURCE: ClassVar[str] = SOURCE

    order_id: UUID
    reason: Reason


class PaymentRefunded(Contract):
    """The whole charge was refunded."""

    NAME: ClassVar[str] = "payments.payment_refunded.v1"
    SOURCE: ClassVar[str] = SOURCE

    order_id: UUID
    charge_id: Reference
    refund_id: Reference
    amount: Amount
    """Minor units."""
    currency: Currency


class PaymentRefundedV2(Contract):
    """The customer has money back: the rest of the charge, or a part of it. The rest is all that the parts leave."""

    NAME: ClassVar[str] = "payments.payment_refunded.v2"
    SOURCE: ClassVar[str] = SOURCE
    PREDECESSOR: ClassVar[type[Any] | None] = PaymentRefunded

    order_id: UUID
    charge_id: Reference
    refund_id: Reference
    amount: Amount
    """Of this refund, in minor units."""
    currency: Currency
    left: Left
    """Minor units that are captured and not refunded; 0 once the customer has everything back."""
    part: PartOrNone = None
    """The number of the part; none for the rest, which a cancellation refunds."""

    @classmethod
    def upcast(cls, old: PaymentRefunded) -> "PaymentRefundedV2":
        return cls(**dict(old), left=0)


class RefundPending(Contract):
    """The card processor has accepted the refund and tells its end later; payments asks until it does."""

    NAME: ClassVar[str] = "payments.refund_pending.v1"
    SOURCE: ClassVar[str] = SOURCE

    order_id: UUID
    charge_id: Reference
    refund_id: Reference
    amount: Amount
    """Minor units."""
    currency: Currency
    part: PartOrNone = None
    """The number of the part; none for the rest, and in messages older than this field."""


class RefundFailed(Contract):
    """The refund was refused or has not reached the customer: the amount is still owed, a person must look."""

    NAME: ClassVar[str] = "payments.refund_failed.v1"
    SOURCE: ClassVar[str] = SOURCE

    order_id: UUID
    charge_id: Reference
    refund_id: ReferenceOrNone
    """Empty when the card processor refused to make a refund."""
    reason: Reason
    """The processor's, such as `charge_disputed` or `expired_or_canceled_card`."""
    amount: Amount
    """Minor units."""
    currency: Currency
    part: PartOrNone = None
    """The number of the part; none for the rest, and in messages older than this field."""


class RefundRequested(Contract):
    """An operator has the failed refund of a cancelled order tried again; payments itself reacts."""

    NAME: ClassVar[str] = "payments.refund_requested.v1"
    SOURCE: ClassVar[str] = SOURCE

    order_id: UUID
    reason: Reason
    """The operator's."""


class PartRefundRequested(Contract):
    """An operator has a part of the charge refunded, or a failed one tried again; payments itself reacts."""

    NAME: ClassVar[str] = "payments.part_refund_requested.v1"
    SOURCE: ClassVar[str] = SOURCE

    order_id: UUID
    part: Part
    amount: Amount
    """Minor units."""
    currency: Currency
    reason: Reason
    """The operator's."""


class RefundCheckDue(Contract):
    """It is time to ask the card processor how a refund stands; payments itself reacts."""

    NAME: ClassVar[str] = "payments.refund_check_due.v1"
    SOURCE: ClassVar[str] = SOURCE

    order_id: UUID
    refund_id: Reference


class LateChargeMade(Contract):
    """The card was charged while the order was being cancelled; payments itself reacts and refunds it."""

    NAME: ClassVar[str] = "payments.late_charge_made.v1"
    SOURCE: ClassVar[str] = SOURCE

    order_id: UUID
    charge_id: Reference
    amount: Amount
    """Minor units."""
    currency: Currency
