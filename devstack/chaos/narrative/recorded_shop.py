"""RecordedShop: the shop's client whose every command is in the history that the checker reads."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from devstack.chaos.client import RecordedClient
from devstack.chaos.history import History, Operation
from devstack.demo.shop import Addresses, ServiceRefused, Shop

PATIENCE = 60
"""Seconds for which a command is sent again, under the same key, until somebody answers."""


class RecordedShop(Shop):
    """Reads as `Shop` does, and sends commands as the checker wants them."""

    def __init__(
        self, addresses: Addresses, token: Callable[[str, str], str], simulator_key: str, history: History
    ) -> None:
        super().__init__(addresses, token, simulator_key)
        self._client = RecordedClient(addresses, token, history)

    def price(self, sku: str, name: str, unit_price: int, currency: str = "EUR") -> None:
        self._answered(self._client.price(sku, unit_price, currency))

    def receive(self, sku: str, quantity: int, key: str = "") -> None:
        self._answered(self._client.receive(sku, quantity, key))

    def order(
        self,
        customer: str,
        lines: Sequence[tuple[str, int]],
        card: str,
        contact: Mapping[str, Any] | None = None,
        key: str = "",
    ) -> UUID:
        return UUID(self._answered(self._client.place(customer, lines, card, contact, key))["order_id"])

    def cancel(self, customer: str, order_id: UUID) -> None:
        self._answered(self._client.cancel(customer, str(order_id)))

    def _answered(self, operation: Operation) -> Mapping[str, Any]:
        """Its answer. Raises ServiceRefused when it is refused, or nobody answers for a minute."""
        end = time.monotonic() + PATIENCE
        while operation.outcome == "indeterminate" and time.monotonic() < end:
            self._client.ask_again(operation)
        if operation.outcome != "ok":
            status = operation.error.partition(":")[0]
            raise ServiceRefused(operation.error, int(status) if status.isdigit() else 0)
        return operation.answer
