"""The paths and answers of the payment API."""

from uuid import UUID

from pydantic import BaseModel, Field

from contracts.bounds import Amount
from ordersaga.http.openapi import Body, View, example
from payment_service.part import Part, PartState
from payment_service.payment import Payment, State

PRINTABLE = r"^[^\x00-\x1f\x7f]+$"


class PaymentPath(BaseModel):
    order_id: UUID


class RefundRequest(Body):
    """The reason, which is recorded with the request."""

    model_config = example(reason="the customer has a new card")

    reason: str = Field(min_length=1, max_length=200, pattern=PRINTABLE)


class PartRefund(Body):
    """A part of the charge to refund: `amount` in minor units, and the reason, which is recorded with the request."""

    model_config = example(amount=500, reason="one cup was broken")

    amount: Amount
    reason: str = Field(min_length=1, max_length=200, pattern=PRINTABLE)


class PartView(View):
    """The refund of a part of the charge; `amount` in minor units, `reason` is the operator's.

    `failure` is the card processor's reason of the last failure. A part that is `taken_over` is refunded with the
    rest, by the cancellation of the order.
    """

    number: int
    amount: int
    state: PartState
    reason: str
    refund_id: str | None
    failure: str | None

    @classmethod
    def of(cls, part: Part) -> "PartView":
        return cls(
            number=part["number"],
            amount=part["amount"],
            state=part["state"],
            reason=part["reason"],
            refund_id=part["refund_id"] or None,
            failure=part["failure"] or None,
        )


class PaymentView(View):
    """The payment of one order; `amount` is what was charged, in minor units.

    `reason` is of the decline or of the last refund that failed. `refunded` is the amount that the
    customer has back, and `refundable` the amount of which parts may still be requested; `refunds` are the parts.
    """

    order_id: UUID
    state: State
    amount: int
    currency: str | None
    charge_id: str | None
    refund_id: str | None
    reason: str | None
    refunded: int
    refundable: int
    refunds: list[PartView]
    version: int

    @classmethod
    def of(cls, payment: Payment) -> "PaymentView":
        return cls(
            order_id=payment.id,
            state=payment.state,
            amount=payment.amount,
            currency=payment.currency or None,
            charge_id=payment.charge_id or None,
            refund_id=payment.refund_id or None,
            reason=payment.reason or None,
            refunded=payment.refunded,
            refundable=payment.refundable,
            refunds=[PartView.of(part) for part in payment.parts],
            version=payment.version,
        )
