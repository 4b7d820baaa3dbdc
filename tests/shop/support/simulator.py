"""The simulator of the card processor in a process of its own."""

import json
import subprocess
import sys
import urllib.request
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import stripe

from payment_service.stripe_gateway import StripeGateway

KEY = "sk_test_guarantees"


class Simulator:
    """The simulator as a process of its own; `close` is kill -9, `start` again finds the same port and ledger."""

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger
        self._port = 0
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(simulator_command(self._port, self._ledger), stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        *_, self.url = self.process.stdout.readline().split() or [""]
        assert self.url.startswith("http://127.0.0.1:"), "the simulator did not start"
        self._port = int(self.url.rpartition(":")[2])

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()

    def gateway(self, timeout: float = 5, retries: int = 2) -> StripeGateway:
        return StripeGateway(KEY, self.url, timeout, retries)

    def client(self) -> stripe.StripeClient:
        return stripe.StripeClient(KEY, base_addresses={"api": self.url}, max_network_retries=0)

    def advance(self, ahead: timedelta) -> None:
        """Move its clock forward."""
        body = urlencode({"advance": int(ahead.total_seconds())}).encode()
        request = urllib.request.Request(f"{self.url}/clock", body, {"Authorization": f"Bearer {KEY}"})
        urllib.request.urlopen(request, timeout=5).close()

    def ledger(self, order_id: UUID) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self.url}/ledger?order_id={order_id}", headers={"Authorization": f"Bearer {KEY}"}
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            return dict(json.load(answer))

    def charges(self, order_id: UUID) -> list[dict[str, Any]]:
        return list(self.ledger(order_id)["charges"])


def simulator_command(port: int, ledger: Path) -> list[str]:
    return [sys.executable, "-m", "payment_service.simulator", "--port", str(port), "--ledger", str(ledger)]
