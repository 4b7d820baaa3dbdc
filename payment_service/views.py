"""The paths and answers of the payment API."""

from uuid import UUID

from pydantic import BaseModel, Field

from ordersaga.http.openapi import Body, View, example
from payment_service.payment import Payment, State

PRINTABLE = r"^[^\x00-\x1f\x7f]+$"


class PaymentPath(BaseModel):
    order_id: UUID


class RefundRequest(Body):
    """The reason, which is recorded with the request."""

    model_config = example(reason="the customer has a new card")

    reason: str = Field(min_length=1, max_length=200, pattern=PRINTABLE)


class PaymentView(View):
    """The payment of one order; `amount` is what was charged, in minor units.

    `reason` is of the decline or of the last refund that failed.
    """

    order_id: UUID
    state: State
    amount: int
    currency: str | None
    charge_id: str | None
    refund_id: str | None
    reason: str | None
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
            version=payment.version,
        )
