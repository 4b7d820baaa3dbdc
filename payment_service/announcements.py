"""The events of the payment service that are announced, each as its contract."""

from contracts.payments import (
    LateChargeMade,
    PartRefundRequested,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefundedV2,
    RefundCheckDue,
    RefundFailed,
    RefundPending,
    RefundRequested,
)
from ordersaga.store.announcements import Announcements
from payment_service.payment import Payment

announcements = Announcements("payment_service")
announcements.without_event(RefundCheckDue)


@announcements.of(Payment.Captured)
def payment_captured(event: Payment.Captured) -> PaymentCaptured:
    return PaymentCaptured(
        order_id=event.originator_id, charge_id=event.charge_id, amount=event.amount, currency=event.currency
    )


@announcements.of(Payment.Declined)
def payment_declined(event: Payment.Declined) -> PaymentDeclined:
    return PaymentDeclined(order_id=event.originator_id, reason=event.reason)


@announcements.of(Payment.ChargedLate)
def late_charge_made(event: Payment.ChargedLate) -> LateChargeMade:
    return LateChargeMade(
        order_id=event.originator_id, charge_id=event.charge_id, amount=event.amount, currency=event.currency
    )


@announcements.of(Payment.Refunded)
def payment_refunded(event: Payment.Refunded) -> PaymentRefundedV2:
    return PaymentRefundedV2(
        order_id=event.originator_id,
        charge_id=event.charge_id,
        refund_id=event.refund_id,
        amount=event.amount,
        currency=event.currency,
        left=event.left,
    )


@announcements.of(Payment.RefundPending)
def refund_pending(event: Payment.RefundPending) -> RefundPending:
    return RefundPending(
        order_id=event.originator_id,
        charge_id=event.charge_id,
        refund_id=event.refund_id,
        amount=event.amount,
        currency=event.currency,
    )


@announcements.of(Payment.RefundFailed)
def refund_failed(event: Payment.RefundFailed) -> RefundFailed:
    return RefundFailed(
        order_id=event.originator_id,
        charge_id=event.charge_id,
        refund_id=event.refund_id,
        reason=event.reason,
        amount=event.amount,
        currency=event.currency,
    )


@announcements.of(Payment.RefundRequested)
def refund_requested(event: Payment.RefundRequested) -> RefundRequested:
    return RefundRequested(order_id=event.originator_id, reason=event.reason)


@announcements.of(Payment.PartRequested)
def part_refund_requested(event: Payment.PartRequested) -> PartRefundRequested:
    return PartRefundRequested(
        order_id=event.originator_id,
        part=event.part,
        amount=event.amount,
        currency=event.currency,
        reason=event.reason,
    )


@announcements.of(Payment.PartRefunded)
def part_refunded(event: Payment.PartRefunded) -> PaymentRefundedV2:
    return PaymentRefundedV2(
        order_id=event.originator_id,
        charge_id=event.charge_id,
        refund_id=event.refund_id,
        amount=event.amount,
        currency=event.currency,
        left=event.left,
        part=event.part,
    )


@announcements.of(Payment.PartPending)
def part_pending(event: Payment.PartPending) -> RefundPending:
    return RefundPending(
        order_id=event.originator_id,
        charge_id=event.charge_id,
        refund_id=event.refund_id,
        amount=event.amount,
        currency=event.currency,
        part=event.part,
    )


@announcements.of(Payment.PartFailed)
def part_failed(event: Payment.PartFailed) -> RefundFailed:
    return RefundFailed(
        order_id=event.originator_id,
        charge_id=event.charge_id,
        refund_id=event.refund_id,
        reason=event.reason,
        amount=event.amount,
        currency=event.currency,
        part=event.part,
    )
