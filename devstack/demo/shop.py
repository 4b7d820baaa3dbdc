"""The three services as their users see them: over HTTP, with bearer tokens."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

SECONDS = 30
ATTEMPTS = Retry(total=5, backoff_factor=0.2, status_forcelist=[409, 502, 503, 504], allowed_methods=None)
"""Every request here may be repeated: it carries an idempotency key, or only reads."""


class ServiceRefused(RuntimeError):
    """A service answered with a problem document; the text is what it said."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Addresses:
    """Base URLs of the services and of the card processor's simulator."""

    orders: str
    payments: str
    inventory: str
    simulator: str


class Shop:
    """Thread-safe as long as each thread has its own; `token(role, subject)` makes bearer tokens."""

    def __init__(self, addresses: Addresses, token: Callable[[str, str], str], simulator_key: str) -> None:
        self.addresses = addresses
        self._token = token
        self._simulator_key = simulator_key
        self._session = requests.Session()
        # Not the environment's proxies: everything here is on loopback.
        self._session.trust_env = False
        self._session.mount("http://", HTTPAdapter(max_retries=ATTEMPTS))

    def products(self) -> list[dict[str, Any]]:
        """The first page of the price list."""
        answer = self._call("GET", f"{self.addresses.orders}/products", self._operator)
        return list(answer["products"])

    def price(self, sku: str, name: str, unit_price: int, currency: str = "EUR") -> None:
        body = {"name": name, "unit_price": unit_price, "currency": currency}
        self._call("PUT", f"{self.addresses.orders}/products/{sku}", self._operator, body)

    def receive(self, sku: str, quantity: int, key: str = "") -> None:
        url = f"{self.addresses.inventory}/stock/{sku}/receipts"
        self._call("POST", url, self._operator, {"quantity": quantity}, {"Idempotency-Key": key or str(uuid4())})

    def available(self, sku: str) -> int:
        """Pieces that are on hand and not reserved; 0 of a product that inventory does not know."""
        try:
            return int(self._call("GET", f"{self.addresses.inventory}/stock/{sku}", self._operator)["available"])
        except ServiceRefused as refused:
            if refused.status == 404:
                return 0
            raise

    def stock(self, sku: str, name: str, unit_price: int, quantity: int, key: str = "") -> None:
        """A product on the price list and on the shelves; with the same key the units are received once."""
        self.price(sku, name, unit_price)
        self.receive(sku, quantity, key)

    def order(
        self,
        customer: str,
        lines: Sequence[tuple[str, int]],
        card: str,
        contact: Mapping[str, Any] | None = None,
        key: str = "",
    ) -> UUID:
        """Place an order, with the same key only once; returns its id."""
        wanted = [{"sku": sku, "quantity": quantity} for sku, quantity in lines]
        body = {"lines": wanted, "card": card, "contact": contact}
        headers = {"Idempotency-Key": key or str(uuid4())}
        answer = self._call("POST", f"{self.addresses.orders}/orders", self._customer(customer), body, headers)
        return UUID(answer["order_id"])

    def cancel(self, customer: str, order_id: UUID) -> None:
        url = f"{self.addresses.orders}/orders/{order_id}/cancellation"
        self._call("POST", url, self._customer(customer), {"reason": "changed_my_mind"})

    def payment_of(self, order_id: UUID) -> dict[str, Any]:
        return self._call("GET", f"{self.addresses.payments}/payments/{order_id}", self._operator)

    def refund_again(self, order_id: UUID, reason: str) -> None:
        """Have a failed refund made again."""
        url = f"{self.addresses.payments}/payments/{order_id}/refund"
        self._call("POST", url, self._operator, {"reason": reason})

    def refund_part(self, order_id: UUID, amount: int, reason: str) -> None:
        """Have a part of the payment refunded, once for each order."""
        url, key = f"{self.addresses.payments}/payments/{order_id}/refunds", {"Idempotency-Key": f"part-of-{order_id}"}
        self._call("POST", url, self._operator, {"amount": amount, "reason": reason}, key)

    def order_of(self, customer: str, order_id: UUID) -> dict[str, Any]:
        return self._call("GET", f"{self.addresses.orders}/orders/{order_id}", self._customer(customer))

    def ledger(self) -> dict[str, Any]:
        """Every charge and refund of the simulated card processor."""
        return self._call("GET", f"{self.addresses.simulator}/ledger", self._simulator_key)

    @property
    def _operator(self) -> str:
        return self._token("operator", "demo-operator")

    def _customer(self, name: str) -> str:
        """A new token for each request: the key that signs them may change."""
        return self._token("customer", name)

    def _call(
        self, method: str, url: str, token: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        response = self._session.request(
            method, url, json=body, headers={"Authorization": f"Bearer {token}", **(headers or {})}, timeout=SECONDS
        )
        if not response.ok:
            raise ServiceRefused(
                f"{method} {url} answered {response.status_code}: {response.text}", response.status_code
            )
        answer: dict[str, Any] = response.json()
        return answer
