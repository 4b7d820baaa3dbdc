"""One row for each order: what has happened to it; from that the database computes what the order waits for."""

from contracts import CONTRACTS
from contracts.inventory import StockRejected, StockReleased, StockReserved, StockShipped
from contracts.orders import OrderCancelled, OrderConfirmed, OrderPlaced
from contracts.payments import (
    LateChargeMade,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefundedV2,
    RefundFailed,
    RefundPending,
)
from ordersaga.envelope.versions import newest
from projections.views.columns import ALL_BACK, LAST_TIME, NUMBER_OF_MESSAGES, correlation_of, field_of, time_of
from projections.views.view import view_of_orders

COLUMNS = {
    "correlation_id": correlation_of(OrderPlaced),
    "customer": field_of("customer", OrderPlaced),
    "lines": field_of("lines", OrderPlaced),
    "total": field_of("total", OrderPlaced),
    "currency": field_of("currency", OrderPlaced),
    "placed_at": time_of(OrderPlaced),
    "complete_by": field_of("complete_by", OrderPlaced),
    "reserved_at": time_of(StockReserved),
    "rejected_at": time_of(StockRejected),
    "rejection": field_of("reason", StockRejected),
    "captured_at": time_of(PaymentCaptured),
    "late_charge_at": time_of(LateChargeMade),
    "declined_at": time_of(PaymentDeclined),
    "decline": field_of("reason", PaymentDeclined),
    "refunded_at": time_of(PaymentRefundedV2, where=ALL_BACK),
    "refund_pending_at": time_of(RefundPending),
    "refund_failed_at": time_of(RefundFailed),
    "confirmed_at": time_of(OrderConfirmed),
    "cancelled_at": time_of(OrderCancelled),
    "reason": field_of("reason", OrderCancelled),
    "released_at": time_of(StockReleased),
    "shipped_at": time_of(StockShipped),
    "last_at": LAST_TIME,
    "messages": NUMBER_OF_MESSAGES,
}
OF_ORDERS = [contract for contract in CONTRACTS.values() if contract.KEY == "order_id"]
"""`messages` and `last_at` count every message of an order, also those that no other column is made of."""
VIEW = view_of_orders("saga_view", COLUMNS, newest(OF_ORDERS))
NAMES_OF_ORDERS = [contract.NAME for contract in OF_ORDERS]
