"""The paths and answers of the payment API."""

from typing import Literal
from uuid import UUID

from pydantic import BaseModel

from ordersaga.http.openapi import View
from payment_service.payment import Payment


class PaymentPath(BaseModel):
    order_id: UUID


class PaymentView(View):
    """The payment of one order; `amount` is what was charged, in minor units."""

    order_id: UUID
    state: Literal["open", "captured", "declined", "voided", "charged_late", "refunded"]
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
