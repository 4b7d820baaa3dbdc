"""RecordedClient: sends commands to the shop, repeats those without an answer, and records outcomes in a history."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from threading import Event
from typing import Any, Self
from uuid import uuid4

import requests

from devstack.chaos.history import History, Operation
from devstack.chaos.stage import Stage
from devstack.demo.customers import token
from devstack.demo.shop import Addresses

TIMEOUT = (2.0, 10.0)
"""Seconds to connect, and to wait for an answer."""
ATTEMPTS = 4
FIRST_PAUSE = 0.2
"""Seconds before the second attempt; the pause doubles."""
OPERATOR = "chaos-operator"
PROMISE = "Nothing was stored"
"""In the problem documents of refusals that may pass (overloaded, conflict)."""
UNDER_WAY = "urn:problem:request-in-flight"


@dataclass(frozen=True)
class Command:
    """An HTTP request that changes something; a history has it as the `request` of its operation."""

    api: str
    """`orders`, `payments` or `inventory`."""
    method: str
    path: str
    role: str
    caller: str
    body: Mapping[str, Any]
    facts: Mapping[str, Any] = field(default_factory=dict)
    """For the checker."""


class RecordedClient:
    """Repeats an attempt without an answer, with the same key, a few times; then the outcome is indeterminate.

    For one thread. `stopped` ends the repeats early.
    """

    def __init__(
        self, addresses: Addresses, token: Callable[[str, str], str], history: History, stopped: Event | None = None
    ) -> None:
        self.history = history
        self._addresses = addresses
        self._token = token
        self._stopped = stopped or Event()
        self._session = requests.Session()
        self._session.trust_env = False

    @classmethod
    def of(cls, stage: Stage, history: History, stopped: Event | None = None) -> Self:
        """A client of the stack of this stage."""
        return cls(stage.scene.shop.addresses, partial(token, stage.scene.state), history, stopped)

    def price(self, sku: str, unit_price: int, currency: str = "EUR") -> Operation:
        body = {"name": sku, "unit_price": unit_price, "currency": currency}
        facts = {"sku": sku, "retired": False}
        return self.send("price", Command("orders", "PUT", f"/products/{sku}", "operator", OPERATOR, body, facts))

    def retire(self, sku: str) -> Operation:
        path, facts = f"/products/{sku}/retirement", {"sku": sku, "retired": True}
        command = Command("orders", "POST", path, "operator", OPERATOR, {"reason": "sold out"}, facts)
        return self.send("retire", command)

    def receive(self, sku: str, quantity: int, key: str = "") -> Operation:
        path, facts = f"/stock/{sku}/receipts", {"sku": sku, "quantity": quantity}
        command = Command("inventory", "POST", path, "operator", OPERATOR, {"quantity": quantity}, facts)
        return self.send("receive_stock", command, key)

    def correct(self, sku: str, quantity: int, key: str = "") -> Operation:
        body, facts = {"quantity": quantity, "reason": "counted"}, {"sku": sku, "quantity": quantity}
        command = Command("inventory", "POST", f"/stock/{sku}/corrections", "operator", OPERATOR, body, facts)
        return self.send("correct_stock", command, key)

    def place(
        self,
        customer: str,
        lines: Sequence[tuple[str, int]],
        card: str = "pm_card_visa",
        contact: Mapping[str, Any] | None = None,
        key: str = "",
    ) -> Operation:
        """The answer of an acknowledged one has `order_id`."""
        wanted = [{"sku": sku, "quantity": quantity} for sku, quantity in lines]
        body = {"lines": wanted, "card": card, "contact": contact}
        return self.send("place_order", Command("orders", "POST", "/orders", "customer", customer, body), key)

    def cancel(self, customer: str, order_id: str, key: str = "") -> Operation:
        path = f"/orders/{order_id}/cancellation"
        body = {"reason": "changed_my_mind"}
        command = Command("orders", "POST", path, "customer", customer, body, {"order_id": order_id})
        return self.send("cancel", command, key)

    def refund_part(self, order_id: str, amount: int, key: str = "") -> Operation:
        facts = {"order_id": order_id, "amount": amount}
        body = {"amount": amount, "reason": "broken"}
        command = Command("payments", "POST", f"/payments/{order_id}/refunds", "operator", OPERATOR, body, facts)
        return self.send("refund_part", command, key)

    def send(self, kind: str, command: Command, key: str = "") -> Operation:
        """Send a command until there is an answer or the attempts are used up. A network error is recorded, not raised.

        The price list ignores the key: repeated, its commands change nothing.
        """
        key = key or str(uuid4())
        with self.history.operation(kind, key, asdict(command)) as operation:
            self._repeat(operation, ATTEMPTS)
        return operation

    def ask_again(self, operation: Operation) -> None:
        """Ask for the outcome of an indeterminate operation once everything has healed and nothing is under way."""
        operation.attempts += 1
        self._repeat(operation, ATTEMPTS)
        self.history.resolve(operation)

    def _repeat(self, operation: Operation, attempts: int) -> None:
        doubtful, pause = False, FIRST_PAUSE
        for attempt in range(attempts):
            operation.attempts += attempt > 0
            answer = self._attempt(operation)
            if answer is not None and answer.ok:
                return operation.succeed(**acknowledged(answer))
            if answer is not None and refuses(answer) and not doubtful:
                return operation.refuse(operation.error)
            doubtful = True
            if self._stopped.wait(pause):
                break
            pause *= 2
        return None

    def _attempt(self, operation: Operation) -> requests.Response | None:
        """None when there is no answer."""
        asked = operation.request
        url = getattr(self._addresses, asked["api"]) + asked["path"]
        try:
            headers = {
                "Authorization": f"Bearer {self._token(asked['role'], asked['caller'])}",
                "Idempotency-Key": operation.subject,
                "X-Correlation-Id": str(operation.correlation_id),
            }
            answer = self._session.request(asked["method"], url, json=asked["body"], headers=headers, timeout=TIMEOUT)
        except requests.RequestException as error:
            operation.error = f"no answer: {type(error).__name__}: {str(error)[:200]}"
            return None
        if not answer.ok:
            operation.error = f"{answer.status_code}: {answer.text[:300]}"
        return answer


def refuses(answer: requests.Response) -> bool:
    """Whether the service states that this attempt has changed nothing and never will."""
    if not answer.headers.get("Content-Type", "").startswith("application/problem+json"):
        return False
    problem = answer.json()
    if answer.status_code < 500:
        return bool(problem["type"] != UNDER_WAY)
    return PROMISE in problem["detail"]


def acknowledged(answer: requests.Response) -> dict[str, Any]:
    """What a history keeps of an acknowledgement."""
    said = answer.json()
    kept = {name: said[name] for name in ("order_id", "sku", "version") if name in said}
    return {
        **kept,
        "status": answer.status_code,
        "replayed": answer.headers.get("Idempotency-Replayed") == "true",
        "at": time.time(),
    }
