"""One row for each order whose card was charged or declined; `refunds` has its parts."""

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
from projections.views.columns import ALL_BACK, LAST_TIME, WHOLE, field_of, first_time_of, newest_field_of, time_of
from projections.views.view import view_of_orders

REFUNDS = (PaymentRefundedV2, RefundPending, RefundFailed)
COLUMNS = {
    "amount": field_of("amount", PaymentCaptured, LateChargeMade),
    "currency": field_of("currency", PaymentCaptured, LateChargeMade, PaymentRefundedV2),
    "charge_id": field_of("charge_id", PaymentCaptured, LateChargeMade, PaymentRefundedV2),
    "captured_at": time_of(PaymentCaptured),
    "late_charge_at": time_of(LateChargeMade),
    "declined_at": time_of(PaymentDeclined),
    "decline": field_of("reason", PaymentDeclined),
    "refund_id": newest_field_of("refund_id", "rest_refunded_at", PaymentRefundedV2, where=WHOLE),
    "refunded_at": time_of(PaymentRefundedV2, where=f"({WHOLE} or {ALL_BACK})"),
    "refunded": field_of("amount", PaymentRefundedV2, where=WHOLE),
    "refund_pending_at": time_of(RefundPending, where=WHOLE),
    "refund_failed_at": time_of(RefundFailed, where=WHOLE),
    "refund_failure": newest_field_of("reason", "refund_failed_at", RefundFailed, where=WHOLE),
    "refund_requested_at": time_of(RefundRequested),
    "refund_checked_at": time_of(RefundCheckDue),
    "rest_refunded_at": time_of(PaymentRefundedV2, where=WHOLE),
    "rest_at": first_time_of(*REFUNDS, where=WHOLE),
    "last_at": LAST_TIME,
}
VIEW = view_of_orders("payment_view", COLUMNS, [PartRefundRequested])
"""What is not named after a part is of the charge, or of the rest that a cancellation refunds."""
