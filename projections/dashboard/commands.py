"""The client of the services' commands on one order; each request carries the signed-in viewer's token."""

from uuid import UUID

from projections.dashboard.services import ACTION_TIMEOUT_SECONDS, Services


class Commands:
    """Commands on orders and payments. Each raises ServiceRefused, whose text says what and why."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def cancel(self, token: str, order_id: UUID, reason: str) -> None:
        """Cancel an order, before or after its confirmation."""
        self._post("order_service", f"/orders/{order_id}/cancellation", token, reason)

    def refund(self, token: str, order_id: UUID, reason: str) -> None:
        """Have failed refunds tried again."""
        self._post("payment_service", f"/payments/{order_id}/refund", token, reason)

    def refund_part(self, token: str, order_id: UUID, amount: int, reason: str, key: str) -> None:
        """Have a part of the payment refunded; `amount` in minor units, and the same `key` is the same refund."""
        body = {"amount": amount, "reason": reason}
        path, headers = f"/payments/{order_id}/refunds", {"Idempotency-Key": key}
        self._services.request(
            "POST", "payment_service", path, token, ACTION_TIMEOUT_SECONDS, json=body, headers=headers
        )

    def _post(self, service: str, path: str, token: str, reason: str) -> None:
        self._services.request("POST", service, path, token, ACTION_TIMEOUT_SECONDS, json={"reason": reason})
