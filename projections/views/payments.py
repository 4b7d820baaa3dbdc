"""One row for each order whose card was charged or declined."""

from contracts.payments import LateChargeMade, PaymentCaptured, PaymentDeclined, PaymentRefunded
from projections.views.columns import LAST_TIME, field_of, time_of
from projections.views.view import view_of_orders

COLUMNS = {
    "amount": field_of("amount", PaymentCaptured, LateChargeMade, PaymentRefunded),
    "currency": field_of("currency", PaymentCaptured, LateChargeMade, PaymentRefunded),
    "charge_id": field_of("charge_id", PaymentCaptured, LateChargeMade, PaymentRefunded),
    "captured_at": time_of(PaymentCaptured),
    "late_charge_at": time_of(LateChargeMade),
    "declined_at": time_of(PaymentDeclined),
    "decline": field_of("reason", PaymentDeclined),
    "refund_id": field_of("refund_id", PaymentRefunded),
    "refunded_at": time_of(PaymentRefunded),
    "refunded": field_of("amount", PaymentRefunded),
    "last_at": LAST_TIME,
}
VIEW = view_of_orders("payment_view", COLUMNS)
