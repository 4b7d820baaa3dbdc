"""What the payment service may rely on when it charges: the real Stripe client against the real simulator."""

import socket
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
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
    ChargeAnswer,
    Declined,
    Gateway,
    NotCharged,
    RefundAnswer,
    Refunded,
    RefundFailed,
    RefundPending,
)
from payment_service.in_process_gateway import InProcessGateway
from payment_service.stripe_gateway import StripeGateway
from tests.shop.support.charges import asked
from tests.shop.support.simulator import KEY, Simulator, simulator_command


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


def captured(answer: ChargeAnswer) -> Captured:
    assert isinstance(answer, Captured)
    return answer


def refunded(answer: RefundAnswer) -> Refunded:
    assert isinstance(answer, Refunded)
    return answer


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = monotonic() + 10
    while not condition():
        assert monotonic() < deadline, "waited for ten seconds in vain"


def test_a_charge_captures_what_was_asked_for(gateway: Gateway, order_id: UUID) -> None:
    charge = captured(gateway.charge(asked(order_id, 1250, "EUR", "pm_card_visa")))
    assert (charge.amount, charge.currency) == (1250, "EUR")


def test_a_repeated_charge_is_the_first_charge(gateway: Gateway, order_id: UUID) -> None:
    first = gateway.charge(asked(order_id, 1250, "EUR", "pm_card_visa"))
    assert gateway.charge(asked(order_id, 1250, "EUR", "pm_card_visa")) == first


def test_a_repeated_charge_with_another_amount_is_refused(gateway: Gateway, order_id: UUID) -> None:
    gateway.charge(asked(order_id, 1250, "EUR", "pm_card_visa"))
    with pytest.raises(CardProcessorRefused, match="before"):
        gateway.charge(asked(order_id, 1251, "EUR", "pm_card_visa"))


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        ("pm_card_chargeDeclined", "card_declined"),
        ("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds"),
        ("pm_card_unknown", "resource_missing"),
    ],
)
def test_a_declined_card_is_an_answer_and_stays_one(gateway: Gateway, order_id: UUID, card: str, reason: str) -> None:
    assert gateway.charge(asked(order_id, 1250, "EUR", card)) == Declined(reason)
    assert gateway.charge(asked(order_id, 1250, "EUR", card)) == Declined(reason)


def test_a_repeated_refund_is_the_first_refund(gateway: Gateway, order_id: UUID) -> None:
    charge = captured(gateway.charge(asked(order_id, 1250, "EUR", "pm_card_visa")))
    first = refunded(gateway.refund(order_id, charge.charge_id, 500))
    assert first.amount == 500
    assert gateway.refund(order_id, charge.charge_id, 500) == first


def test_more_than_was_captured_is_not_refunded(gateway: Gateway, order_id: UUID) -> None:
    charge = captured(gateway.charge(asked(order_id, 1250, "EUR", "pm_card_visa")))
    assert gateway.refund(order_id, charge.charge_id, 1251) == RefundFailed("", "invalid_amount")
    assert refunded(gateway.refund(order_id, charge.charge_id, 1250, failed_before=1)).amount == 1250


def test_the_ledger_shows_charge_and_refund(simulator: Simulator, order_id: UUID) -> None:
    gateway = simulator.gateway()
    charge = captured(gateway.charge(asked(order_id, 1250, "EUR", "pm_card_visa")))
    refund = refunded(gateway.refund(order_id, charge.charge_id, 1250))
    ledger = simulator.ledger(order_id)
    shown = {"id": charge.charge_id, "order_id": str(order_id), "amount": 1250, "currency": "eur"}
    [entry] = ledger["charges"]
    assert entry.items() >= (shown | {"status": "succeeded", "amount_refunded": 1250, "attempts": 1}).items()
    [entry] = ledger["refunds"]
    assert entry.items() >= {"id": refund.refund_id, "charge": charge.charge_id, "amount": 1250}.items()


def test_a_charge_that_was_never_answered_is_found_again_and_made_once(simulator: Simulator, order_id: UUID) -> None:
    charge = captured(simulator.gateway(timeout=0.2).charge(asked(order_id, 900, "EUR", "pm_sim_timeout_after_charge")))
    [entry] = simulator.charges(order_id)
    assert (entry["id"], entry["attempts"]) == (charge.charge_id, 2)


def test_past_the_clients_own_retries_the_caller_hears_it_and_may_repeat(simulator: Simulator, order_id: UUID) -> None:
    impatient = simulator.gateway(timeout=0.2, retries=0)
    with pytest.raises(CardProcessorUnavailable, match=r"Read timed out.*Ask again later"):
        impatient.charge(asked(order_id, 900, "EUR", "pm_sim_timeout_after_charge"))
    charge = captured(impatient.charge(asked(order_id, 900, "EUR", "pm_sim_timeout_after_charge")))
    assert [entry["id"] for entry in simulator.charges(order_id)] == [charge.charge_id]


def test_a_late_answer_is_not_a_second_charge(simulator: Simulator, order_id: UUID) -> None:
    charge = captured(simulator.gateway(timeout=0.2).charge(asked(order_id, 900, "EUR", "pm_sim_delay_300")))
    assert [entry["id"] for entry in simulator.charges(order_id)] == [charge.charge_id]


def test_a_failure_before_the_charge_is_retried_by_the_client(simulator: Simulator, order_id: UUID) -> None:
    captured(simulator.gateway().charge(asked(order_id, 900, "EUR", "pm_sim_error_500")))
    assert [entry["attempts"] for entry in simulator.charges(order_id)] == [2]


def test_failures_past_the_clients_retries_charge_nothing_until_one_succeeds(
    simulator: Simulator, order_id: UUID
) -> None:
    impatient = simulator.gateway(retries=0)
    for _ in range(2):
        with pytest.raises(CardProcessorUnavailable, match="test card asks for this failure"):
            impatient.charge(asked(order_id, 900, "EUR", "pm_sim_error_500_2"))
        assert simulator.charges(order_id) == []
    captured(impatient.charge(asked(order_id, 900, "EUR", "pm_sim_error_500_2")))


def test_money_given_back_by_someone_else_is_not_given_back_twice(simulator: Simulator, order_id: UUID) -> None:
    gateway = simulator.gateway()
    charge = captured(gateway.charge(asked(order_id, 900, "EUR", "pm_card_visa")))
    by_hand = simulator.client().v1.refunds.create({"charge": charge.charge_id})
    assert gateway.refund(order_id, charge.charge_id, 900) == Refunded(by_hand.id, 900)
    assert len(simulator.ledger(order_id)["refunds"]) == 1


CHARGED_500, STORED_500 = "pm_sim_charged_500", "pm_sim_stored_500_2"


def test_a_charge_behind_a_500_is_found_and_not_made_again(simulator: Simulator, order_id: UUID) -> None:
    gateway = simulator.gateway(retries=0)
    charge = captured(gateway.charge(asked(order_id, 900, "EUR", CHARGED_500)))
    assert captured(gateway.charge(asked(order_id, 900, "EUR", CHARGED_500))) == charge
    assert [entry["id"] for entry in simulator.charges(order_id)] == [charge.charge_id]


@pytest.mark.parametrize("card", [STORED_500, "pm_sim_intent_500_2"])
def test_a_stored_500_ends_its_key_and_not_the_charge(simulator: Simulator, order_id: UUID, card: str) -> None:
    gateway = simulator.gateway(retries=0)
    for _ in range(2):
        with pytest.raises(CardProcessorUnavailable, match="test card asks for this failure"):
            gateway.charge(asked(order_id, 900, "EUR", card))
        assert simulator.charges(order_id) == []
    charge = captured(gateway.charge(asked(order_id, 900, "EUR", card)))
    assert captured(gateway.charge(asked(order_id, 900, "EUR", card))) == charge
    assert [entry["id"] for entry in simulator.charges(order_id)] == [charge.charge_id]


@pytest.mark.parametrize("card", ["pm_card_visa", CHARGED_500, "pm_sim_timeout_after_charge"])
def test_a_charge_is_found_when_its_keys_are_forgotten(simulator: Simulator, order_id: UUID, card: str) -> None:
    impatient = simulator.gateway(timeout=0.2, retries=0)
    with suppress(CardProcessorUnavailable):
        impatient.charge(asked(order_id, 900, "EUR", card))
    simulator.advance(timedelta(hours=25))
    charge = captured(impatient.charge(asked(order_id, 900, "EUR", card, age=timedelta(hours=25))))
    assert [entry["id"] for entry in simulator.charges(order_id)] == [charge.charge_id]


def test_a_charge_that_search_does_not_know_yet_is_found_by_its_key(simulator: Simulator, order_id: UUID) -> None:
    old = asked(order_id, 900, "EUR", "pm_card_visa", age=timedelta(hours=13))
    charge = captured(simulator.gateway().charge(old))
    assert simulator.gateway().charge(old) == charge
    assert [entry["id"] for entry in simulator.charges(order_id)] == [charge.charge_id]


def test_a_key_that_is_forgotten_would_make_another_intent(simulator: Simulator, order_id: UUID) -> None:
    intents = simulator.client().v1.payment_intents
    asked_for: Any = {"amount": 900, "currency": "eur", "payment_method": "pm_card_visa"}
    first, again = (intents.create(asked_for, {"idempotency_key": str(order_id)}).id for _ in range(2))
    assert first == again
    simulator.advance(timedelta(hours=24))
    assert intents.create(asked_for, {"idempotency_key": str(order_id)}).id != first


@pytest.mark.parametrize("card", ["pm_card_visa", CHARGED_500])
def test_withdrawing_finds_a_charge_that_was_made(gateway: Gateway, order_id: UUID, card: str) -> None:
    with suppress(CardProcessorUnavailable):
        gateway.charge(asked(order_id, 900, "EUR", card))
    assert captured(gateway.withdraw(asked(order_id, 900, "EUR", card))).amount == 900


@pytest.mark.parametrize("card", ["pm_card_visa", STORED_500])
def test_what_is_withdrawn_is_never_charged(gateway: Gateway, order_id: UUID, card: str) -> None:
    if card == STORED_500:
        with pytest.raises(CardProcessorUnavailable):
            gateway.charge(asked(order_id, 900, "EUR", card))
    for _ in range(2):
        assert gateway.withdraw(asked(order_id, 900, "EUR", card)) == NotCharged()
    assert gateway.charge(asked(order_id, 900, "EUR", card)) == NotCharged()


def test_a_rate_limit_is_no_answer_and_the_charge_is_made_later(simulator: Simulator, order_id: UUID) -> None:
    with pytest.raises(CardProcessorUnavailable, match="slow down"):
        simulator.gateway().charge(asked(order_id, 900, "EUR", "pm_sim_rate_limited"))
    captured(simulator.gateway().charge(asked(order_id, 900, "EUR", "pm_sim_rate_limited")))


def test_a_processor_that_never_answers_is_unavailable_and_charges_nothing(
    simulator: Simulator, order_id: UUID
) -> None:
    with pytest.raises(CardProcessorUnavailable, match="Read timed out"):
        simulator.gateway(timeout=0.1, retries=0).charge(asked(order_id, 900, "EUR", "pm_sim_silent"))
    assert simulator.charges(order_id) == []


FAILED = "expired_or_canceled_card"


@pytest.mark.parametrize(
    ("card", "first", "later"),
    [
        ("pm_sim_refund_pending", RefundPending, Refunded),
        ("pm_sim_refund_failed", RefundFailed, RefundFailed),
        ("pm_sim_refund_pending_failed", RefundPending, RefundFailed),
        ("pm_sim_refund_failed_late", Refunded, RefundFailed),
        ("pm_sim_refund_500", Refunded, Refunded),
    ],
)
def test_the_status_of_a_refund_is_read_and_a_failed_one_can_be_made_again(
    gateway: Gateway, simulator: Simulator, order_id: UUID, card: str, first: type, later: type
) -> None:
    charge = captured(gateway.charge(asked(order_id, 900, "EUR", card)))
    answer = gateway.refund(order_id, charge.charge_id, 900)
    assert isinstance(answer, first)
    simulator.advance(timedelta(seconds=5))
    ended = gateway.find_refund(answer.refund_id)
    assert isinstance(ended, later)
    assert gateway.refund(order_id, charge.charge_id, 900) == ended
    if isinstance(ended, RefundFailed):
        assert ended == RefundFailed(answer.refund_id, FAILED)
        again = refunded(gateway.refund(order_id, charge.charge_id, 900, failed_before=1))
        assert again.refund_id != answer.refund_id


def test_each_part_is_one_refund_and_all_are_within_the_charge(gateway: Gateway, order_id: UUID) -> None:
    charge = captured(gateway.charge(asked(order_id, 900, "EUR", "pm_card_visa"))).charge_id
    first = refunded(gateway.refund(order_id, charge, 300, part=1))
    assert gateway.refund(order_id, charge, 300, part=1) == first
    second = refunded(gateway.refund(order_id, charge, 300, part=2))
    assert (first.amount, second.amount, first.refund_id != second.refund_id) == (300, 300, True)
    assert isinstance(gateway.refund(order_id, charge, 301, part=3), RefundFailed)
    rest = refunded(gateway.refund(order_id, charge, 300))
    assert rest.amount == 300
    assert gateway.refund(order_id, charge, 300) == rest
    assert isinstance(gateway.refund(order_id, charge, 1, part=4), RefundFailed)


def test_a_part_is_found_when_its_keys_are_forgotten(simulator: Simulator, order_id: UUID) -> None:
    """Another part of its amount would be accepted: more is left of the charge."""
    gateway = simulator.gateway()
    charge = captured(gateway.charge(asked(order_id, 900, "EUR", "pm_card_visa"))).charge_id
    first = refunded(gateway.refund(order_id, charge, 300, part=1))
    simulator.advance(timedelta(hours=25))
    long_ago = datetime.now(UTC) - timedelta(hours=25)
    assert gateway.refund(order_id, charge, 300, part=1, since=long_ago) == first
    assert refunded(gateway.refund(order_id, charge, 300, part=2, since=long_ago)) != first
    assert [each["amount"] for each in simulator.ledger(order_id)["refunds"]] == [300, 300]


@pytest.mark.parametrize("card", ["pm_sim_refund_failed", "pm_sim_disputed"])
def test_the_card_says_how_the_first_refund_goes_also_that_of_a_part(
    gateway: Gateway, order_id: UUID, card: str
) -> None:
    charge = captured(gateway.charge(asked(order_id, 900, "EUR", card))).charge_id
    assert isinstance(gateway.refund(order_id, charge, 300, part=1), RefundFailed)
    assert isinstance(gateway.refund(order_id, charge, 300, part=1), RefundFailed)
    assert refunded(gateway.refund(order_id, charge, 300, 0, part=2)).amount == 300
    assert refunded(gateway.refund(order_id, charge, 300, 1, part=1)).amount == 300
    assert refunded(gateway.refund(order_id, charge, 300)).amount == 300


def test_the_rest_is_not_taken_for_refunded_because_parts_of_its_amount_are(
    simulator: Simulator, order_id: UUID
) -> None:
    """A 500 that the processor has stored makes the gateway look for the refund, and there is a part of its amount."""
    gateway = simulator.gateway()
    charge = captured(gateway.charge(asked(order_id, 900, "EUR", "pm_sim_refund_500"))).charge_id
    part = refunded(gateway.refund(order_id, charge, 450, part=1))
    assert gateway.refund(order_id, charge, 450, part=1) == part
    rest = refunded(gateway.refund(order_id, charge, 450))
    assert rest.refund_id != part.refund_id
    assert [each["amount"] for each in simulator.ledger(order_id)["refunds"]] == [450, 450]
    assert gateway.refund(order_id, charge, 450, part=2) == RefundFailed("", "charge_already_refunded")


def test_a_disputed_charge_is_not_refunded_until_the_dispute_is_over(gateway: Gateway, order_id: UUID) -> None:
    charge = captured(gateway.charge(asked(order_id, 900, "EUR", "pm_sim_disputed")))
    for _ in range(2):
        assert gateway.refund(order_id, charge.charge_id, 900) == RefundFailed("", "charge_disputed")
    assert refunded(gateway.refund(order_id, charge.charge_id, 900, failed_before=1)).amount == 900


def test_a_ledger_of_an_older_simulator_is_read(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite"
    with closing(sqlite3.connect(file)) as old:
        old.executescript(OLDER_LEDGER)
    with closing(Simulator(file)) as simulator:
        order_id = UUID(int=1)
        assert refunded(simulator.gateway().refund(order_id, "ch_1", 900)).amount == 900
        assert simulator.client().v1.payment_intents.retrieve("pi_1").status == "succeeded"


OLDER_LEDGER = """
create table requests (idempotency_key text primary key, fingerprint text not null, attempts integer not null,
    status integer, body text) strict;
create table charges (id text primary key, payment_intent text not null unique, idempotency_key text not null,
    order_id text, amount integer not null, currency text not null, payment_method text not null, decline_code text,
    status text not null, created integer not null) strict;
create table refunds (id text primary key, charge text not null, idempotency_key text not null,
    amount integer not null, created integer not null) strict;
insert into requests values ('charge', 'f', 1, 200, '{}');
insert into charges values ('ch_1', 'pi_1', 'charge', '00000000-0000-0000-0000-000000000001', 900, 'eur',
    'pm_card_visa', null, 'succeeded', 1);
"""


def test_a_processor_that_is_down_is_unavailable(order_id: UUID) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    gateway = StripeGateway(KEY, f"http://127.0.0.1:{port}", retries=0)
    with pytest.raises(CardProcessorUnavailable, match=r"refused.*STRIPE_API_BASE"):
        gateway.charge(asked(order_id, 900, "EUR", "pm_card_visa"))


def test_a_key_that_is_not_accepted_is_named(simulator: Simulator, order_id: UUID) -> None:
    with pytest.raises(CardProcessorUnavailable, match="Check STRIPE_API_KEY"):
        StripeGateway("sk_live_1", simulator.url).charge(asked(order_id, 900, "EUR", "pm_card_visa"))


def test_an_http_proxy_is_not_asked_for_loopback(
    simulator: Simulator, order_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    captured(simulator.gateway(retries=0).charge(asked(order_id, 900, "EUR", "pm_card_visa")))


def test_the_same_call_survives_kill_9_between_charge_and_answer(tmp_path: Path, order_id: UUID) -> None:
    with closing(Simulator(tmp_path / "ledger.sqlite")) as simulator, ThreadPoolExecutor(1) as threads:
        call = threads.submit(
            simulator.gateway(retries=5).charge, asked(order_id, 900, "EUR", "pm_sim_timeout_after_charge")
        )
        wait_for(lambda: len(simulator.charges(order_id)) == 1)
        simulator.close()
        simulator.start()
        charge = captured(call.result())
        assert [entry["id"] for entry in simulator.charges(order_id)] == [charge.charge_id]


def test_a_key_in_use_is_a_conflict_and_then_the_same_charge(simulator: Simulator, order_id: UUID) -> None:
    with ThreadPoolExecutor(8) as threads:
        gateway = simulator.gateway(retries=5)
        calls = [threads.submit(gateway.charge, asked(order_id, 900, "EUR", "pm_sim_delay_800")) for _ in range(8)]
        wait_for(lambda: len(simulator.charges(order_id)) == 1)
        [entry] = simulator.charges(order_id)
        with pytest.raises(stripe.StripeError, match="is under way"):
            simulator.client().v1.payment_intents.confirm(
                entry["payment_intent"],
                {"error_on_requires_action": True},
                {"idempotency_key": entry["idempotency_key"]},
            )
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
        ({"confirm": "perhaps"}, "confirm", None),
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
    simulator.gateway().charge(asked(order_id, 900, "EUR", "pm_card_chargeDeclined"))
    [entry] = simulator.charges(order_id)
    intent = simulator.client().v1.payment_intents.retrieve(entry["payment_intent"])
    assert (intent.status, intent.amount_received) == ("requires_payment_method", 0)
    with pytest.raises(stripe.InvalidRequestError, match="No such payment_intent"):
        simulator.client().v1.payment_intents.retrieve("pi_nobody")


def test_a_charge_that_took_no_money_gives_none_back(simulator: Simulator, order_id: UUID) -> None:
    simulator.gateway().charge(asked(order_id, 900, "EUR", "pm_card_chargeDeclined"))
    [entry] = simulator.charges(order_id)
    assert simulator.gateway().refund(order_id, entry["id"], 900) == RefundFailed("", "charge_not_refundable")


def test_a_port_or_a_ledger_in_use_ends_with_exit_code_2(simulator: Simulator, tmp_path: Path) -> None:
    port = int(simulator.url.rpartition(":")[2])
    for command, message in [
        (simulator_command(port, tmp_path / "ledger.sqlite"), f"Cannot listen on 127.0.0.1:{port}"),
        (simulator_command(0, simulator._ledger), "no other simulator may have it open"),
    ]:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        assert ended.returncode == 2
        assert message in " ".join(ended.stderr.split())
