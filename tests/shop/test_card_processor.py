"""What the payment service may rely on when it charges: the real Stripe client against the real simulator."""

import json
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

import pytest
import stripe

from payment_service.gateway import (
    Captured,
    CardProcessorRefused,
    CardProcessorUnavailable,
    Declined,
    Gateway,
    Refunded,
)
from payment_service.in_process_gateway import InProcessGateway
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


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with closing(Simulator(tmp_path_factory.mktemp("card_processor") / "ledger.sqlite")) as simulator:
        yield simulator


@pytest.fixture(params=["stripe", "in_process"])
def gateway(request: pytest.FixtureRequest, simulator: Simulator) -> Gateway:
    return simulator.gateway() if request.param == "stripe" else InProcessGateway()


@pytest.fixture
def order_id() -> UUID:
    return uuid4()


def captured(answer: Captured | Declined) -> Captured:
    assert isinstance(answer, Captured)
    return answer


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = monotonic() + 10
    while not condition():
        assert monotonic() < deadline, "waited for ten seconds in vain"


def test_a_charge_captures_what_was_asked_for(gateway: Gateway, order_id: UUID) -> None:
    charge = captured(gateway.charge(order_id, 1250, "EUR", "pm_card_visa"))
    assert (charge.amount, charge.currency) == (1250, "EUR")


def test_a_repeated_charge_is_the_first_charge(gateway: Gateway, order_id: UUID) -> None:
    first = gateway.charge(order_id, 1250, "EUR", "pm_card_visa")
    assert gateway.charge(order_id, 1250, "EUR", "pm_card_visa") == first


def test_a_repeated_charge_with_another_amount_is_refused(gateway: Gateway, order_id: UUID) -> None:
    gateway.charge(order_id, 1250, "EUR", "pm_card_visa")
    with pytest.raises(CardProcessorRefused, match="before"):
        gateway.charge(order_id, 1251, "EUR", "pm_card_visa")


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        ("pm_card_chargeDeclined", "card_declined"),
        ("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds"),
        ("pm_card_unknown", "resource_missing"),
    ],
)
def test_a_declined_card_is_an_answer_and_stays_one(gateway: Gateway, order_id: UUID, card: str, reason: str) -> None:
    assert gateway.charge(order_id, 1250, "EUR", card) == Declined(reason)
    assert gateway.charge(order_id, 1250, "EUR", card) == Declined(reason)


def test_a_repeated_refund_is_the_first_refund(gateway: Gateway, order_id: UUID) -> None:
    charge = captured(gateway.charge(order_id, 1250, "EUR", "pm_card_visa"))
    first = gateway.refund(order_id, charge.charge_id, 500)
    assert first.amount == 500
    assert gateway.refund(order_id, charge.charge_id, 500) == first


def test_more_than_was_captured_is_not_refunded(gateway: Gateway, order_id: UUID) -> None:
    charge = captured(gateway.charge(order_id, 1250, "EUR", "pm_card_visa"))
    with pytest.raises(CardProcessorRefused):
        gateway.refund(order_id, charge.charge_id, 1251)
    assert gateway.refund(order_id, charge.charge_id, 1250).amount == 1250


def test_the_ledger_shows_charge_and_refund(simulator: Simulator, order_id: UUID) -> None:
    gateway = simulator.gateway()
    charge = captured(gateway.charge(order_id, 1250, "EUR", "pm_card_visa"))
    refund = gateway.refund(order_id, charge.charge_id, 1250)
    ledger = simulator.ledger(order_id)
    shown = {"id": charge.charge_id, "order_id": str(order_id), "amount": 1250, "currency": "eur"}
    [entry] = ledger["charges"]
    assert entry.items() >= (shown | {"status": "succeeded", "amount_refunded": 1250, "attempts": 1}).items()
    [entry] = ledger["refunds"]
    assert entry.items() >= {"id": refund.refund_id, "charge": charge.charge_id, "amount": 1250}.items()


def test_a_charge_that_was_never_answered_is_found_again_and_made_once(simulator: Simulator, order_id: UUID) -> None:
    charge = captured(simulator.gateway(timeout=0.2).charge(order_id, 900, "EUR", "pm_sim_timeout_after_charge"))
    [entry] = simulator.charges(order_id)
    assert (entry["id"], entry["attempts"]) == (charge.charge_id, 2)


def test_past_the_clients_own_retries_the_caller_hears_it_and_may_repeat(simulator: Simulator, order_id: UUID) -> None:
    impatient = simulator.gateway(timeout=0.2, retries=0)
    with pytest.raises(CardProcessorUnavailable, match=r"Read timed out.*Ask again later"):
        impatient.charge(order_id, 900, "EUR", "pm_sim_timeout_after_charge")
    charge = captured(impatient.charge(order_id, 900, "EUR", "pm_sim_timeout_after_charge"))
    assert [entry["id"] for entry in simulator.charges(order_id)] == [charge.charge_id]


def test_a_late_answer_is_not_a_second_charge(simulator: Simulator, order_id: UUID) -> None:
    charge = captured(simulator.gateway(timeout=0.2).charge(order_id, 900, "EUR", "pm_sim_delay_300"))
    assert [entry["id"] for entry in simulator.charges(order_id)] == [charge.charge_id]


def test_a_failure_before_the_charge_is_retried_by_the_client(simulator: Simulator, order_id: UUID) -> None:
    captured(simulator.gateway().charge(order_id, 900, "EUR", "pm_sim_error_500"))
    assert [entry["attempts"] for entry in simulator.charges(order_id)] == [2]


def test_failures_past_the_clients_retries_charge_nothing_until_one_succeeds(
    simulator: Simulator, order_id: UUID
) -> None:
    impatient = simulator.gateway(retries=0)
    for _ in range(2):
        with pytest.raises(CardProcessorUnavailable, match="test card asks for this failure"):
            impatient.charge(order_id, 900, "EUR", "pm_sim_error_500_2")
        assert simulator.charges(order_id) == []
    captured(impatient.charge(order_id, 900, "EUR", "pm_sim_error_500_2"))


def test_money_given_back_by_someone_else_is_not_given_back_twice(simulator: Simulator, order_id: UUID) -> None:
    gateway = simulator.gateway()
    charge = captured(gateway.charge(order_id, 900, "EUR", "pm_card_visa"))
    by_hand = simulator.client().v1.refunds.create({"charge": charge.charge_id})
    assert gateway.refund(order_id, charge.charge_id, 900) == Refunded(by_hand.id, 900)
    assert len(simulator.ledger(order_id)["refunds"]) == 1


def test_a_processor_that_is_down_is_unavailable(order_id: UUID) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    gateway = StripeGateway(KEY, f"http://127.0.0.1:{port}", retries=0)
    with pytest.raises(CardProcessorUnavailable, match=r"refused.*STRIPE_API_BASE"):
        gateway.charge(order_id, 900, "EUR", "pm_card_visa")


def test_a_key_that_is_not_accepted_is_named(simulator: Simulator, order_id: UUID) -> None:
    with pytest.raises(CardProcessorUnavailable, match="Check STRIPE_API_KEY"):
        StripeGateway("sk_live_1", simulator.url).charge(order_id, 900, "EUR", "pm_card_visa")


def test_an_http_proxy_is_not_asked_for_loopback(
    simulator: Simulator, order_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    captured(simulator.gateway(retries=0).charge(order_id, 900, "EUR", "pm_card_visa"))


def test_the_same_call_survives_kill_9_between_charge_and_answer(tmp_path: Path, order_id: UUID) -> None:
    with closing(Simulator(tmp_path / "ledger.sqlite")) as simulator, ThreadPoolExecutor(1) as threads:
        call = threads.submit(simulator.gateway(retries=5).charge, order_id, 900, "EUR", "pm_sim_timeout_after_charge")
        wait_for(lambda: len(simulator.charges(order_id)) == 1)
        simulator.close()
        simulator.start()
        charge = captured(call.result())
        assert [entry["id"] for entry in simulator.charges(order_id)] == [charge.charge_id]


def test_a_key_in_use_is_a_conflict_and_then_the_same_charge(simulator: Simulator, order_id: UUID) -> None:
    with ThreadPoolExecutor(8) as threads:
        gateway = simulator.gateway(retries=5)
        calls = [threads.submit(gateway.charge, order_id, 900, "EUR", "pm_sim_delay_800") for _ in range(8)]
        wait_for(lambda: len(simulator.charges(order_id)) == 1)
        with pytest.raises(CardProcessorUnavailable, match="is under way"):
            simulator.gateway(retries=0).charge(order_id, 900, "EUR", "pm_sim_delay_800")
        charge_ids = {captured(call.result()).charge_id for call in calls}
    assert charge_ids == {entry["id"] for entry in simulator.charges(order_id)}
    assert len(charge_ids) == 1


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"amount": 0}, "amount", "parameter_invalid_integer"),
        ({"amount": -5}, "amount", "parameter_invalid_integer"),
        ({"amount": "12.50"}, "amount", "parameter_invalid_integer"),
        ({"amount": "9" * 5000}, "amount", "parameter_invalid_integer"),
        ({"amount": 100_000_000}, "amount", "amount_too_large"),
        ({"amount": ""}, "amount", "parameter_missing"),
        ({"currency": "EUR"}, "currency", None),
        ({"currency": "xyz"}, "currency", None),
        ({"payment_method": "pm_nobody"}, "payment_method", "resource_missing"),
        ({"confirm": False}, "confirm", None),
        ({"payment_method_types": ["card"]}, "payment_method_types[0]", "parameter_unknown"),
    ],
)
def test_bad_input_is_refused_by_name_and_charges_nothing(
    simulator: Simulator, order_id: UUID, change: dict[str, Any], param: str, code: str | None
) -> None:
    asked = {"amount": 900, "currency": "eur", "payment_method": "pm_card_visa", "confirm": True}
    asked["metadata"] = {"order_id": str(order_id)}
    with pytest.raises(stripe.InvalidRequestError) as refused:
        simulator.client().raw_request("post", "/v1/payment_intents", **asked | change)
    assert (refused.value.http_status, refused.value.param, refused.value.code) == (400, param, code)
    assert simulator.charges(order_id) == []


def test_a_payment_intent_can_be_looked_up(simulator: Simulator, order_id: UUID) -> None:
    simulator.gateway().charge(order_id, 900, "EUR", "pm_card_chargeDeclined")
    [entry] = simulator.charges(order_id)
    intent = simulator.client().v1.payment_intents.retrieve(entry["payment_intent"])
    assert (intent.status, intent.amount_received) == ("requires_payment_method", 0)
    with pytest.raises(stripe.InvalidRequestError, match="No such payment_intent"):
        simulator.client().v1.payment_intents.retrieve("pi_nobody")


def test_a_charge_that_took_no_money_gives_none_back(simulator: Simulator, order_id: UUID) -> None:
    simulator.gateway().charge(order_id, 900, "EUR", "pm_card_chargeDeclined")
    [entry] = simulator.charges(order_id)
    with pytest.raises(CardProcessorRefused, match="took no money"):
        simulator.gateway().refund(order_id, entry["id"], 900)


def test_a_port_or_a_ledger_in_use_ends_with_exit_code_2(simulator: Simulator, tmp_path: Path) -> None:
    port = int(simulator.url.rpartition(":")[2])
    for command, message in [
        (simulator_command(port, tmp_path / "ledger.sqlite"), f"Cannot listen on 127.0.0.1:{port}"),
        (simulator_command(0, simulator._ledger), "no other simulator may have it open"),
    ]:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        assert ended.returncode == 2
        assert message in " ".join(ended.stderr.split())
