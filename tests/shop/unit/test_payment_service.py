"""What the payment service decides: each reaction when it happens, is repeated, comes too late, and is refused."""

from uuid import UUID

import pytest

from contracts.inventory import StockLine, StockReserved
from contracts.orders import OrderCancelled
from contracts.payments import LateChargeMade, PaymentCaptured, PaymentDeclined, PaymentRefunded
from payment_service.announcements import announcements
from payment_service.gateway import Captured, CardProcessorRefused, Declined
from payment_service.in_process_gateway import InProcessGateway
from payment_service.payment import Payment
from payment_service.reactions import reactions
from tests.support.given import Service
from tests.support.scenario import Heard, Scenario, happened, heard

ORDER = UUID("01890000-0000-7000-8000-000000000001")
CHARGE = f"ch_{ORDER.hex}"
REFUND = f"re_{ORDER.hex}"
MONEY = {"amount": 700, "currency": "EUR"}
ANSWER = Captured(CHARGE, 700, "EUR")


def reserved(*answer: object, card: str = "pm_card_visa", amount: int = 700) -> Heard:
    lines = (StockLine(sku="cup", quantity=2),)
    said = StockReserved(order_id=ORDER, lines=lines, amount=amount, currency="EUR", card=card)
    return heard(said, *answer)


def cancelled(*answer: object) -> Heard:
    return heard(OrderCancelled(order_id=ORDER, reason="changed my mind"), *answer)


def late(*answer: object) -> Heard:
    return heard(LateChargeMade(order_id=ORDER, charge_id=CHARGE, **MONEY), *answer)


DECLINED = reserved(card="pm_card_chargeDeclinedInsufficientFunds")
REFUNDED = (
    happened(Payment.Refunded, charge_id=CHARGE, refund_id=REFUND, **MONEY),
    PaymentRefunded(order_id=ORDER, charge_id=CHARGE, refund_id=REFUND, **MONEY),
)
CHARGED_LATE = (
    happened(Payment.ChargedLate, charge_id=CHARGE, **MONEY),
    LateChargeMade(order_id=ORDER, charge_id=CHARGE, **MONEY),
)


class CountingGateway(InProcessGateway):
    """Counts what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def charge(self, *arguments: object) -> Captured | Declined:
        self.asked.append("charge")
        return super().charge(*arguments)  # type: ignore[arg-type]


@pytest.fixture
def gateway() -> CountingGateway:
    return CountingGateway()


@pytest.fixture
def payments(gateway: CountingGateway) -> Service:
    return Service(announcements, reactions, world=gateway)


def test_a_good_card_is_charged(payments: Service) -> None:
    Scenario(payments).when(reserved()).then(
        happened(Payment.Opened),
        happened(Payment.Captured, charge_id=CHARGE, **MONEY),
        PaymentCaptured(order_id=ORDER, charge_id=CHARGE, **MONEY),
    )


def test_a_declined_card_is_told_with_its_reason(payments: Service) -> None:
    Scenario(payments).when(DECLINED).then(
        happened(Payment.Opened),
        happened(Payment.Declined, reason="insufficient_funds"),
        PaymentDeclined(order_id=ORDER, reason="insufficient_funds"),
    )


@pytest.mark.parametrize(
    "past",
    [(reserved(),), (DECLINED,), (cancelled(),), (reserved(), cancelled())],
    ids=["captured", "declined", "voided", "refunded"],
)
def test_a_settled_payment_is_neither_charged_nor_asked_about_again(
    payments: Service, gateway: CountingGateway, past: tuple[Heard, ...]
) -> None:
    Scenario(payments).given(*past)
    gateway.asked.clear()
    Scenario(payments).when(reserved()).then()
    assert gateway.asked == []


@pytest.mark.parametrize(
    "past",
    [(reserved(),), (reserved(), cancelled()), (cancelled(), reserved(ANSWER), late())],
    ids=["captured", "refunded", "charged late and refunded"],
)
def test_an_answer_that_is_repeated_after_a_crash_charges_nothing_twice(
    payments: Service, past: tuple[Heard, ...]
) -> None:
    payments.world.charge(ORDER, 700, "EUR", "pm_card_visa")
    Scenario(payments).given(*past).when(reserved(ANSWER)).then()


def test_other_terms_for_a_charged_order_are_refused(payments: Service) -> None:
    payments.world.charge(ORDER, 700, "EUR", "pm_card_visa")
    Scenario(payments).when(reserved(amount=800)).refused(CardProcessorRefused, "was charged before")


def test_a_cancelled_order_gets_its_money_back(payments: Service) -> None:
    Scenario(payments).given(reserved()).when(cancelled()).then(*REFUNDED)


def test_money_goes_back_once(payments: Service) -> None:
    Scenario(payments).given(reserved(), cancelled()).when(cancelled()).then()


def test_a_declined_payment_has_nothing_to_refund(payments: Service) -> None:
    Scenario(payments).given(DECLINED).when(cancelled()).then()


def test_a_cancellation_that_comes_first_is_remembered(payments: Service, gateway: CountingGateway) -> None:
    Scenario(payments).when(cancelled()).then(happened(Payment.Opened), happened(Payment.Voided))
    Scenario(payments).when(cancelled()).then()
    Scenario(payments).when(reserved()).then()
    assert gateway.asked == []


def test_a_charge_answered_after_the_cancellation_is_told_as_late(payments: Service) -> None:
    Scenario(payments).given(cancelled()).when(reserved(ANSWER)).then(*CHARGED_LATE)


def test_a_charge_recorded_after_the_refund_was_asked_for_is_told_as_late(payments: Service) -> None:
    Scenario(payments).given(reserved()).when(cancelled(None)).then(*CHARGED_LATE)


def test_a_decline_answered_after_the_cancellation_changes_nothing(payments: Service) -> None:
    Scenario(payments).given(cancelled()).when(reserved(Declined("card_declined"))).then()


@pytest.mark.parametrize(
    "past",
    [(cancelled(), reserved(ANSWER)), (reserved(), cancelled(None))],
    ids=["cancelled first", "cancelled meanwhile"],
)
def test_a_late_charge_goes_back_once(payments: Service, past: tuple[Heard, ...]) -> None:
    payments.world.charge(ORDER, 700, "EUR", "pm_card_visa")
    Scenario(payments).given(*past).when(late()).then(*REFUNDED)
    Scenario(payments).when(late()).then()
    Scenario(payments).when(cancelled()).then()
