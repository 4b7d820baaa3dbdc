"""What the payment service decides: each reaction when it happens, is repeated, comes too late, and is refused."""

from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from contracts.contract import Contract
from contracts.inventory import StockLine, StockReserved
from contracts.orders import OrderCancelled
from contracts.payments import (
    LateChargeMade,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefundedV2,
    RefundCheckDue,
    RefundFailed,
    RefundPending,
    RefundRequested,
)
from ordersaga.store.deadline import Deadline
from ordersaga.store.transaction import Transaction
from payment_service.announcements import announcements
from payment_service.commands import (
    FIRST_CHECK,
    ONE_DAY,
    REFUND_CHECK,
    REFUND_RECHECK,
    NoFailedRefund,
    request_refund,
    set_next_check,
)
from payment_service.gateway import Captured, CardProcessorRefused, ChargeAnswer, ChargeRequest, Declined, NotCharged
from payment_service.gateway import RefundPending as RefundPendingAnswer
from payment_service.in_process_gateway import InProcessGateway
from payment_service.payment import Payment
from payment_service.reactions import reactions
from tests.shop.support.charges import asked
from tests.support.given import Service
from tests.support.scenario import Happened, Heard, Passed, Scenario, happened, heard

ORDER = UUID("01890000-0000-7000-8000-000000000001")
CHARGE = f"ch_{ORDER.hex}"
REFUND = f"re_{ORDER.hex}"
MONEY: dict[str, Any] = {"amount": 700, "currency": "EUR"}
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
    happened(Payment.Refunded, charge_id=CHARGE, refund_id=REFUND, **MONEY, left=0),
    PaymentRefundedV2(order_id=ORDER, charge_id=CHARGE, refund_id=REFUND, **MONEY, left=0),
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

    def charge(self, request: ChargeRequest) -> ChargeAnswer:
        self.asked.append("charge")
        return super().charge(request)


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
    payments.world.charge(asked(ORDER, 700, "EUR", "pm_card_visa"))
    Scenario(payments).given(*past).when(reserved(ANSWER)).then()


def test_other_terms_for_a_charged_order_are_refused(payments: Service) -> None:
    payments.world.charge(asked(ORDER, 700, "EUR", "pm_card_visa"))
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
    payments.world.charge(asked(ORDER, 700, "EUR", "pm_card_visa"))
    Scenario(payments).given(*past).when(late()).then(*REFUNDED)
    Scenario(payments).when(late()).then()
    Scenario(payments).when(cancelled()).then()


FAILED = "expired_or_canceled_card"
CHECK = Passed(REFUND_CHECK, ORDER)
DUE = RefundCheckDue(order_id=ORDER, refund_id=REFUND)
AGAIN = RefundRequested(order_id=ORDER, reason="a new card")
REFUND_PENDING = (
    happened(Payment.RefundPending, charge_id=CHARGE, refund_id=REFUND, **MONEY),
    RefundPending(order_id=ORDER, charge_id=CHARGE, refund_id=REFUND, **MONEY),
)
again = partial(request_refund, order_id=ORDER, reason="a new card")


def refund_failed(refund_id: str, reason: str) -> tuple[Happened, RefundFailed]:
    return (
        happened(Payment.RefundFailed, charge_id=CHARGE, refund_id=refund_id, reason=reason, **MONEY),
        RefundFailed(order_id=ORDER, charge_id=CHARGE, refund_id=refund_id, reason=reason, **MONEY),
    )


def paid_by(card: str) -> Heard:
    return reserved(card=card)


def test_a_refund_that_the_processor_says_has_failed_is_told_as_failed(payments: Service) -> None:
    Scenario(payments).given(paid_by("pm_sim_refund_failed")).when(cancelled()).then(*refund_failed(REFUND, FAILED))
    assert payments.deadlines == []


def test_a_refund_of_a_disputed_charge_is_told_as_failed(payments: Service) -> None:
    Scenario(payments).given(paid_by("pm_sim_disputed")).when(cancelled()).then(*refund_failed("", "charge_disputed"))


@pytest.mark.parametrize(
    ("card", "end"),
    [("pm_sim_refund_pending", REFUNDED), ("pm_sim_refund_pending_failed", refund_failed(REFUND, FAILED))],
)
def test_a_pending_refund_is_asked_about_until_it_ends(
    payments: Service, card: str, end: tuple[Happened, Contract]
) -> None:
    Scenario(payments).given(paid_by(card)).when(cancelled()).then(*REFUND_PENDING)
    assert payments.deadlines == [Deadline(REFUND_CHECK, ORDER, FIRST_CHECK)]
    Scenario(payments).when(CHECK).then(DUE)
    Scenario(payments).when(heard(DUE)).then(*end)
    Scenario(payments).when(heard(DUE, RefundPendingAnswer(REFUND))).then()


def test_a_refund_that_fails_after_it_succeeded_is_told_as_failed(payments: Service) -> None:
    Scenario(payments).given(paid_by("pm_sim_refund_failed_late")).when(cancelled()).then(*REFUNDED)
    assert payments.deadlines == [Deadline(REFUND_RECHECK, ORDER, ONE_DAY)]
    Scenario(payments).when(Passed(REFUND_RECHECK, ORDER)).then(DUE)
    Scenario(payments).when(heard(DUE)).then(*refund_failed(REFUND, FAILED))
    Scenario(payments).when(Passed(REFUND_RECHECK, ORDER)).then()


def test_a_refund_that_succeeded_is_asked_about_for_a_month_and_no_longer(payments: Service) -> None:
    Scenario(payments).given(reserved(), cancelled())
    after, age = [], timedelta(0)
    while (pause := next_check(payments, age)) is not None:
        after.append(pause.days)
        age += pause
    assert after == [1, 1, 2, 4, 8, 16]


def next_check(payments: Service, age: timedelta) -> timedelta | None:
    before = len(payments.deadlines)

    def check(transaction: Transaction) -> None:
        set_next_check(transaction, transaction.get(Payment, ORDER), age)

    payments.decide(check)
    return payments.deadlines[-1].after if len(payments.deadlines) > before else None


@pytest.mark.parametrize("card", ["pm_sim_refund_failed", "pm_sim_disputed"])
def test_an_operator_has_a_failed_refund_made_again_once(payments: Service, card: str) -> None:
    Scenario(payments).given(paid_by(card), cancelled())
    Scenario(payments).when(again).then(happened(Payment.RefundRequested, reason="a new card"), AGAIN)
    Scenario(payments).when(again).then()
    Scenario(payments).given(heard(AGAIN)).when(heard(AGAIN)).then()
    payment = payments.find(Payment, ORDER)
    assert payment is not None
    assert (payment.state, payment.refund_id != REFUND or card == "pm_sim_disputed") == ("refunded", True)


@pytest.mark.parametrize("past", [(reserved(),), (reserved(), cancelled())], ids=["captured", "refunded"])
def test_a_refund_that_has_not_failed_is_not_made_again(payments: Service, past: tuple[Heard, ...]) -> None:
    Scenario(payments).given(*past).when(again).refused(NoFailedRefund, "is (captured|refunded)")


def test_a_withdrawn_charge_is_never_made(payments: Service) -> None:
    Scenario(payments).when(reserved(NotCharged())).then(happened(Payment.Opened), happened(Payment.Voided))
    Scenario(payments).when(cancelled()).then()
