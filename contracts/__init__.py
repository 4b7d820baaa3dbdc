"""All contracts of the shop, by name."""

from contracts import inventory, orders, payments
from contracts.contract import Contract

CONTRACTS: dict[str, type[Contract]] = {
    contract.NAME: contract
    for contract in (
        orders.OrderPlaced,
        orders.OrderConfirmed,
        orders.OrderCancelled,
        orders.ProductPriced,
        orders.ProductRetired,
        payments.PaymentCaptured,
        payments.PaymentDeclined,
        payments.PaymentRefunded,
        payments.PaymentRefundedV2,
        payments.RefundPending,
        payments.RefundFailed,
        payments.RefundRequested,
        payments.PartRefundRequested,
        payments.RefundCheckDue,
        payments.LateChargeMade,
        inventory.StockReserved,
        inventory.StockRejected,
        inventory.StockReleased,
        inventory.StockShipped,
        inventory.StockReceived,
        inventory.StockCorrected,
    )
}
