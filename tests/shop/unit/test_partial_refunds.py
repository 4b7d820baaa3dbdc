"""Parts of a payment, the cancellation of its order and the answers of the card processor, in any order."""

from collections.abc import Callable
from functools import partial
from inspect import signature
from operator import methodcaller
from typing import Any
from unittest.mock import patch
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.bounds import MAX_PARTS
from contracts.inventory import StockLine, StockReserved
from contracts.orders import OrderCancelled
from contracts.payments import PartRefundRequested, PaymentRefundedV2, RefundCheckDue, RefundFailed, RefundPending
from order_service.commands import UnpricedLine
from ordersaga.envelope.message import Message
from ordersaga.store.deadline import Deadline
from payment_service.announcements import announcements
from payment_service.commands import (
    FIRST_CHECK,
    REFUND_CHECK,
    MoreThanIsLeft,
    NotCaptured,
    TooManyParts,
    request_part,
    request_refund,
)
from payment_service.owed import why_owed
from payment_service.payment import ImpossibleAmount, Payment
from payment_service.reactions import reactions
from tests.shop.support.saga import Saga
from tests.shop.support.saga_ends import check_end
from tests.shop.support.saga_explorer import moves
from tests.shop.support.till import Till
from tests.shop.test_saga_races import new_saga
from tests.support.given import Service
from tests.support.scenario import Heard, Passed, Scenario, Step, happened, heard, message_of

ORDER = UUID("01890000-0000-7000-8000-000000000001")
CHARGE = f"ch_{ORDER.hex}"
REST, PART = f"re_{ORDER.hex}", f"re_{ORDER.hex}_part_1"
CANCELLED = heard(OrderCancelled(order_id=ORDER, reason="changed my mind"))
WHY = "one cup was broken"


def money(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "EUR"}


def paid(card: str = "pm_card_visa") -> Heard:
    lines = (StockLine(sku="cup", quantity=2),)
    return heard(StockReserved(order_id=ORDER, lines=lines, card=card, **money(700)))


def part(amount: int) -> Step:
    return partial(request_part, order_id=ORDER, amount=amount, reason=WHY)


def requested(number: int, amount: int, reason: str = WHY) -> PartRefundRequested:
    return PartRefundRequested(order_id=ORDER, part=number, reason=reason, **money(amount))


def refund_of_part(number: int, amount: int) -> tuple[Step, Step]:
    """It is requested and made."""
    return part(amount), heard(requested(number, amount))


@pytest.fixture
def payments() -> Service:
    return Service(announcements, reactions, world=Till())


def payment_of(payments: Service) -> Payment:
    found = payments.find(Payment, ORDER)
    assert found
    return found


def states(payments: Service) -> list[str]:
    return [each["state"] for each in payment_of(payments).parts]


def test_a_part_is_requested_and_then_refunded(payments: Service) -> None:
    asked = happened(Payment.PartRequested, part=1, reason=WHY, **money(500))
    Scenario(payments).given(paid()).when(part(500)).then(asked, requested(1, 500))
    Scenario(payments).when(heard(requested(1, 500))).then(
        happened(Payment.PartRefunded, part=1, charge_id=CHARGE, refund_id=PART, left=200, **money(500)),
        PaymentRefundedV2(order_id=ORDER, charge_id=CHARGE, refund_id=PART, left=200, part=1, **money(500)),
    )
    Scenario(payments).when(heard(requested(1, 500))).then()
    payment = payment_of(payments)
    assert (payment.state, payment.refunded, payment.refundable) == ("captured", 500, 200)


@pytest.mark.parametrize(("parts", "amount"), [([], 701), ([500], 201), ([500, 200], 1)])
def test_parts_are_never_more_than_was_captured(payments: Service, parts: list[int], amount: int) -> None:
    Scenario(payments).given(paid(), *map(part, parts))
    Scenario(payments).when(part(amount)).refused(
        MoreThanIsLeft, f"{700 - sum(parts)} EUR .minor units. of it are left"
    )
    with pytest.raises(ImpossibleAmount):
        payment_of(payments).request_part(amount, WHY)


def test_a_payment_has_a_bounded_number_of_parts(payments: Service) -> None:
    Scenario(payments).given(paid(), *[part(1)] * MAX_PARTS).when(part(1)).refused(TooManyParts, "no more are possible")


@pytest.mark.parametrize(
    ("past", "state"),
    [((paid("pm_card_chargeDeclined"),), "declined"), ((CANCELLED,), "voided"), ((paid(), CANCELLED), "refunded")],
)
def test_a_part_is_refunded_of_a_captured_payment_alone(payments: Service, past: tuple[Heard, ...], state: str) -> None:
    Scenario(payments).given(*past).when(part(1)).refused(NotCaptured, f"is {state}")


def test_a_cancellation_refunds_what_the_parts_leave(payments: Service) -> None:
    Scenario(payments).given(paid(), *refund_of_part(1, 500)).when(CANCELLED).then(
        happened(Payment.Refunded, charge_id=CHARGE, refund_id=REST, left=0, **money(200)),
        PaymentRefundedV2(order_id=ORDER, charge_id=CHARGE, refund_id=REST, left=0, **money(200)),
    )
    assert payments.world.kept(ORDER) == 0


def test_a_cancellation_takes_over_a_part_that_was_not_asked_for_yet(payments: Service) -> None:
    Scenario(payments).given(paid(), part(500), CANCELLED).when(heard(requested(1, 500))).then()
    assert (payment_of(payments).refunded, states(payments)) == (700, ["taken_over"])
    assert payments.world.kept(ORDER) == 0


def test_a_part_that_is_requested_while_the_processor_refunds_the_rest_is_taken_over(payments: Service) -> None:
    Scenario(payments).given(paid())
    answer = payments.world.refund(ORDER, CHARGE, 700)
    Scenario(payments).given(part(500)).given(heard(CANCELLED.data, answer))
    assert (payment_of(payments).refunded, states(payments)) == (700, ["taken_over"])


def test_a_cancellation_that_is_repeated_after_a_crash_asks_for_the_same_amount_whatever_was_requested_meanwhile(
    payments: Service,
) -> None:
    Scenario(payments).given(paid(), *refund_of_part(1, 100))
    payments.world.refund(ORDER, CHARGE, 600)
    Scenario(payments).given(part(500), CANCELLED)
    assert payment_of(payments).refunded == 700
    assert payments.world.kept(ORDER) == 0


@pytest.mark.parametrize("message", [message_of(requested(1, 500)), message_of(CANCELLED.data)])
def test_the_processor_is_told_since_when_a_refund_is_asked_for(payments: Service, message: Message) -> None:
    """It may have forgotten the idempotency key of an old request, which it has made all the same."""
    Scenario(payments).given(paid(), part(500))
    with patch.object(payments.world, "refund") as refund:
        payments.ask(message)
    told = signature(Till().refund).bind(*refund.call_args.args, **refund.call_args.kwargs)
    assert told.arguments["since"] == message.time


def test_nothing_is_asked_for_when_the_parts_are_all_that_was_captured(payments: Service) -> None:
    Scenario(payments).given(paid(), *refund_of_part(1, 500), *refund_of_part(2, 200))
    Scenario(payments).when(CANCELLED).then(happened(Payment.RefundedInParts))
    assert (payment_of(payments).state, payment_of(payments).refunded) == ("refunded", 700)


def test_a_pending_part_is_asked_about_until_it_ends(payments: Service) -> None:
    Scenario(payments).given(paid("pm_sim_refund_pending"), part(500)).when(heard(requested(1, 500))).then(
        happened(Payment.PartPending, part=1, charge_id=CHARGE, refund_id=PART, **money(500)),
        RefundPending(order_id=ORDER, charge_id=CHARGE, refund_id=PART, part=1, **money(500)),
    )
    assert payments.deadlines == [Deadline(REFUND_CHECK, ORDER, FIRST_CHECK)]
    due = RefundCheckDue(order_id=ORDER, refund_id=PART)
    Scenario(payments).when(Passed(REFUND_CHECK, ORDER)).then(due)
    Scenario(payments).given(heard(due))
    assert states(payments) == ["refunded"]


@pytest.mark.parametrize(("card", "refund_id"), [("pm_sim_refund_failed", PART), ("pm_sim_disputed", "")])
def test_a_failed_part_is_owed_and_made_again_once(payments: Service, card: str, refund_id: str) -> None:
    reason = "charge_disputed" if card == "pm_sim_disputed" else "expired_or_canceled_card"
    Scenario(payments).given(paid(card), part(500)).when(heard(requested(1, 500))).then(
        happened(Payment.PartFailed, part=1, charge_id=CHARGE, refund_id=refund_id, reason=reason, **money(500)),
        RefundFailed(order_id=ORDER, charge_id=CHARGE, refund_id=refund_id, reason=reason, part=1, **money(500)),
    )
    assert f"refund 1, of 500 EUR (minor units) of charge {CHARGE}, has failed ({reason})" in why_owed(
        payment_of(payments)
    )
    again = partial(request_refund, order_id=ORDER, reason="a new card")
    asked = happened(Payment.PartRequested, part=1, reason="a new card", **money(500))
    Scenario(payments).when(again).then(asked, requested(1, 500, "a new card"))
    Scenario(payments).when(again).then()
    Scenario(payments).given(heard(requested(1, 500, "a new card")))
    assert (states(payments), payments.world.kept(ORDER)) == (["refunded"], 200)
    assert why_owed(payment_of(payments)) == ""


def play(saga: Saga, data: st.DataObject) -> None:
    """Moves at random, of the world, the customer, and an operator."""
    for _ in range(data.draw(st.integers(4, 24))):
        acts: list[Callable[[Saga], None]] = [move for _, move in moves(saga)]
        if refundable := saga.may_refund(ORDER):
            amount = -(-refundable // data.draw(st.integers(1, 3)))
            acts += [methodcaller("refund_part", ORDER, amount)] * 3
        if saga.owed():
            acts.append(methodcaller("retry_refund", ORDER))
        acts.append(methodcaller("cancel", ORDER))
        acts[data.draw(st.integers(0, len(acts) - 1))](saga)
        payment = saga.payment(ORDER)
        assert payment
        assert 0 <= payment.refunded <= payment.amount
        assert saga.till.kept(ORDER) >= 0


@settings(max_examples=50, deadline=None)
@given(
    data=st.data(),
    card=st.sampled_from(
        [
            "pm_card_visa",
            "pm_sim_refund_pending",
            "pm_sim_refund_failed",
            "pm_sim_refund_pending_failed",
            "pm_sim_refund_failed_late",
            "pm_sim_disputed",
        ]
    ),
)
def test_the_customer_never_has_more_back_than_was_captured_and_after_a_cancellation_exactly_that(
    data: st.DataObject, card: str
) -> None:
    saga = new_saga()
    saga.receive_stock("cup", 2)
    saga.place([UnpricedLine("cup", 2)], card)
    saga.settle()
    play(saga, data)
    end(saga)
    check_end(saga)
    payment = saga.payment(ORDER)
    assert payment
    assert saga.till.kept(ORDER) == payment.amount - payment.refunded
    if payment.state != "captured":
        assert (payment.state, saga.till.kept(ORDER)) == ("refunded", 0)


def end(saga: Saga) -> None:
    """All is handled, every refund has ended, and those that failed were made again."""
    saga.settle()
    while saga.has_news(ORDER) or saga.owed():
        saga.check_refund(ORDER)
        if saga.owed():
            saga.retry_refund(ORDER)
        saga.settle()
