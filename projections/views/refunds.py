"""One row for each part of a payment that an operator has refunded."""

from contracts.payments import PartRefundRequested, PaymentRefundedV2, RefundFailed, RefundPending
from projections.views.columns import LAST_TIME, PART, field_of, newest_field_of, time_of
from projections.views.view import view_of

OF_PARTS = (PartRefundRequested, PaymentRefundedV2, RefundPending, RefundFailed)
KEYS = {"order_id": "key::uuid", "part": "(body ->> 'part')::bigint"}
COLUMNS = {
    "amount": field_of("amount", *OF_PARTS),
    "currency": field_of("currency", *OF_PARTS),
    "reason": newest_field_of("reason", "requested_at", PartRefundRequested),
    "requested_at": time_of(PartRefundRequested),
    "pending_at": time_of(RefundPending),
    "refund_id": newest_field_of("refund_id", "refunded_at", PaymentRefundedV2),
    "refunded_at": time_of(PaymentRefundedV2),
    "failure": newest_field_of("reason", "failed_at", RefundFailed),
    "failed_at": time_of(RefundFailed),
    "last_at": LAST_TIME,
}
VIEW = view_of(KEYS, "refund_view", COLUMNS, where=PART)
