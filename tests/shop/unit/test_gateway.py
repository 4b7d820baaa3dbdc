"""Which card processor the settings choose, and what the one inside the process answers."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest

from ordersaga.runtime.settings import MissingSetting
from payment_service.cards import TestCard, card_named, decline_reason
from payment_service.choose_gateway import gateway_from
from payment_service.gateway import Captured, CardProcessorRefused, ChargeAnswer, Declined, Gateway
from payment_service.in_process_gateway import InProcessGateway
from payment_service.settings import PaymentSettings
from payment_service.stripe_gateway import StripeGateway
from tests.shop.support.charges import asked


@pytest.fixture
def gateway() -> Gateway:
    return InProcessGateway()


@pytest.fixture
def order_id() -> UUID:
    return uuid4()


def captured(answer: ChargeAnswer) -> Captured:
    assert isinstance(answer, Captured)
    return answer


def test_the_settings_choose_the_gateway() -> None:
    assert isinstance(gateway_from(PaymentSettings(payment_gateway="in_process")), InProcessGateway)
    assert isinstance(
        gateway_from(PaymentSettings(payment_gateway="stripe", stripe_api_key="sk_test_1")), StripeGateway
    )


def test_stripe_without_a_key_is_refused_before_the_first_charge() -> None:
    with pytest.raises(MissingSetting, match="STRIPE_API_KEY is not set"):
        gateway_from(PaymentSettings(payment_gateway="stripe", stripe_api_key=""))


@pytest.mark.parametrize(
    ("name", "card"),
    [
        ("pm_card_visa", TestCard()),
        ("pm_sim_delay_250", TestCard(delay_ms=250)),
        ("pm_sim_timeout_after_charge", TestCard(silent=True)),
        ("pm_sim_error_500", TestCard(failed_attempts=1)),
        ("pm_sim_error_500_3", TestCard(failed_attempts=3)),
        ("pm_sim_error_500_", None),
        ("pm_sim_delay_", None),
        ("pm_sim_delay_-1", None),
        ("4242424242424242", None),
    ],
)
def test_a_card_says_by_its_name_what_will_happen(name: str, card: TestCard | None) -> None:
    assert card_named(name) == card


def test_the_issuers_reason_goes_before_the_general_one() -> None:
    assert decline_reason("card_declined", "insufficient_funds") == "insufficient_funds"
    assert decline_reason("card_declined", "generic_decline") == "card_declined"
    assert decline_reason("expired_card", None) == "expired_card"


def test_many_threads_charging_one_order_get_one_charge(gateway: Gateway, order_id: UUID) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: gateway.charge(asked(order_id, 500, "EUR", "pm_card_visa")), range(200)))
    assert len({captured(answer).charge_id for answer in answers}) == 1


def test_two_orders_get_two_charges(gateway: Gateway) -> None:
    first, second = (captured(gateway.charge(asked(uuid4(), 500, "EUR", "pm_card_visa"))) for _ in range(2))
    assert first.charge_id != second.charge_id


@pytest.mark.parametrize("amount", [0, -1])
def test_an_amount_that_is_not_positive_is_declined(gateway: Gateway, order_id: UUID, amount: int) -> None:
    assert gateway.charge(asked(order_id, amount, "EUR", "pm_card_visa")) == Declined("parameter_invalid_integer")


def test_a_refund_needs_a_charge_of_that_order(gateway: Gateway, order_id: UUID) -> None:
    other = captured(gateway.charge(asked(uuid4(), 500, "EUR", "pm_card_visa")))
    with pytest.raises(CardProcessorRefused, match="has no charge"):
        gateway.refund(order_id, other.charge_id, 500)
