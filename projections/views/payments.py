"""One row for each order whose card was charged or declined."""

from contracts.payments import (
    LateChargeMade,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    RefundCheckDue,
    RefundFailed,
    RefundPending,
    RefundRequested,
)
from projections.views.columns import LAST_TIME, field_of, newest_field_of, time_of
from projections.views.view import view_of_orders

COLUMNS = {
    "amount": field_of("amount", PaymentCaptured, LateChargeMade, PaymentRefunded),
    "currency": field_of("currency", PaymentCaptured, LateChargeMade, PaymentRefunded),
    "charge_id": field_of("charge_id", PaymentCaptured, LateChargeMade, PaymentRefunded),
    "captured_at": time_of(PaymentCaptured),
    "late_charge_at": time_of(LateChargeMade),
    "declined_at": time_of(PaymentDeclined),
    "decline": field_of("reason", PaymentDeclined),
    "refund_id": newest_field_of("refund_id", "refunded_at", PaymentRefunded),
    "refunded_at": time_of(PaymentRefunded),
    "refunded": field_of("amount", PaymentRefunded),
    "refund_pending_at": time_of(RefundPending),
    "refund_failed_at": time_of(RefundFailed),
    "refund_failure": newest_field_of("reason", "refund_failed_at", RefundFailed),
    "refund_requested_at": time_of(RefundRequested),
    "refund_checked_at": time_of(RefundCheckDue),
    "last_at": LAST_TIME,
}
VIEW = view_of_orders("payment_view", COLUMNS)
