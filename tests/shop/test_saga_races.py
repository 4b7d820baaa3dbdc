"""However messages, commands, deadlines and crashes interleave, every order ends in one of the two clean ends."""

from uuid import UUID

import pytest
from hypothesis import settings

from inventory_service.announcements import announcements as inventory_announcements
from inventory_service.reactions import reactions as inventory_reactions
from order_service.announcements import announcements as order_announcements
from order_service.commands import UnpricedLine
from order_service.reactions import reactions as order_reactions
from payment_service.announcements import announcements as payment_announcements
from payment_service.payment import Payment
from payment_service.reactions import reactions as payment_reactions
from tests.shop.support.saga import Line, Party, Saga
from tests.shop.support.saga_ends import check_end
from tests.shop.support.saga_explorer import Allowance, explore
from tests.shop.support.saga_machine import SagaMachine
from tests.shop.support.till import Till
from tests.support.given import Service

ORDER = UUID("01890000-0000-7000-8000-000000000001")
PAYMENTS: Line = ("payment_service", str(ORDER))


def new_saga() -> Saga:
    till = Till()
    parties: dict[str, Party] = {
        "order_service": Service(order_announcements, order_reactions),
        "payment_service": Service(payment_announcements, payment_reactions, world=till),
        "inventory_service": Service(inventory_announcements, inventory_reactions),
    }
    return Saga(parties, till)


class PureSaga(SagaMachine):
    """Without a database: each move is only what the services decide."""

    def begin(self) -> Saga:
        return new_saga()


TestAnyInterleaving = PureSaga.TestCase
TestAnyInterleaving.settings = settings(max_examples=120, stateful_step_count=50, deadline=None)
"""Of several orders, at random; tests/chaos plays far more. Below is every interleaving of one order."""


@pytest.mark.parametrize(
    ("card", "in_stock", "asks_early", "allowed"),
    [
        ("pm_card_visa", 2, False, Allowance(cancellations=1, deadlines=1, copies=1)),
        ("pm_card_visa", 2, True, Allowance(cancellations=1, deadlines=1, copies=0)),
        ("pm_card_chargeDeclined", 2, False, Allowance(cancellations=1, deadlines=0, copies=1)),
        ("pm_card_chargeDeclined", 2, True, Allowance(cancellations=1, deadlines=1, copies=0)),
        ("pm_card_visa", 1, False, Allowance(cancellations=1, deadlines=1, copies=1)),
        ("pm_sim_refund_pending_failed", 2, True, Allowance(cancellations=1, deadlines=0, copies=0)),
        ("pm_sim_refund_failed_late", 2, False, Allowance(cancellations=1, deadlines=0, copies=0)),
        ("pm_sim_timeout_after_charge", 2, False, Allowance(cancellations=1, deadlines=1, copies=0)),
        ("pm_sim_stored_500_2", 2, False, Allowance(cancellations=1, deadlines=1, copies=0)),
    ],
    ids=[
        "paid",
        "paid, asked early",
        "declined",
        "declined, asked early",
        "out of stock",
        "refund pending, then failed",
        "refund fails late",
        "charged without an answer",
        "a stored 500",
    ],
)
def test_one_order_ends_right_in_every_interleaving(
    card: str, in_stock: int, asks_early: bool, allowed: Allowance
) -> None:
    saga = new_saga()
    saga.asks_early = asks_early
    saga.receive_stock("cup", in_stock)
    saga.place([UnpricedLine("cup", 2)], card)
    states, ends = explore(saga, allowed)
    assert states > 200, "the moves reach fewer states than they did: has a way been closed?"
    assert ends > 1


@pytest.mark.parametrize(
    ("card", "allowed"),
    [
        ("pm_card_visa", Allowance(cancellations=1, deadlines=0, copies=0, parts=2)),
        ("pm_sim_refund_pending_failed", Allowance(cancellations=1, deadlines=0, copies=0, parts=1)),
        ("pm_sim_disputed", Allowance(cancellations=1, deadlines=0, copies=1, parts=1)),
    ],
    ids=["refunded", "pending, then failed", "disputed"],
)
def test_parts_of_a_confirmed_order_and_its_cancellation_meet_in_every_interleaving(
    card: str, allowed: Allowance
) -> None:
    saga = new_saga()
    saga.receive_stock("cup", 2)
    saga.place([UnpricedLine("cup", 2)], card)
    saga.settle()
    saga.past.clear()
    states, ends = explore(saga, allowed)
    assert states > 200, "the moves reach fewer states than they did: has a way been closed?"
    assert ends > 1


@pytest.fixture
def charge_and_cancellation() -> Saga:
    """Stock is reserved and the customer cancels: payments can hear of both, in either order."""
    saga = new_saga()
    saga.asks_early = True
    saga.receive_stock("cup", 2)
    saga.place([UnpricedLine("cup", 2)], "pm_card_visa")
    saga.arrive(("inventory_service", "order_service", str(ORDER)))
    saga.react(("inventory_service", str(ORDER)))
    saga.cancel(ORDER)
    return saga


def test_a_refund_asked_for_before_the_charge_was_recorded_is_made_up_for(charge_and_cancellation: Saga) -> None:
    saga = charge_and_cancellation
    saga.arrive(("payment_service", "inventory_service", str(ORDER)))
    saga.arrive(("payment_service", "order_service", str(ORDER)))
    saga.ask(PAYMENTS, 1)
    assert saga.lines[PAYMENTS][1].answer == (None,)
    saga.react(PAYMENTS)
    saga.react(PAYMENTS)
    assert payment_of(saga).state == "charged_late"
    saga.settle()
    check_end(saga)
    assert payment_of(saga).state == "refunded"


def test_a_charge_answered_after_the_cancellation_was_recorded_goes_back(charge_and_cancellation: Saga) -> None:
    saga = charge_and_cancellation
    saga.arrive(("payment_service", "order_service", str(ORDER)))
    saga.arrive(("payment_service", "inventory_service", str(ORDER)))
    saga.ask(PAYMENTS, 1)
    saga.react(PAYMENTS)
    assert payment_of(saga).state == "voided"
    saga.react(PAYMENTS)
    assert payment_of(saga).state == "charged_late"
    saga.settle()
    check_end(saga)
    assert payment_of(saga).state == "refunded"


def test_a_charge_whose_consumer_died_before_its_commit_is_made_once(charge_and_cancellation: Saga) -> None:
    saga = charge_and_cancellation
    saga.asks_early = False
    saga.arrive(("payment_service", "inventory_service", str(ORDER)))
    saga.ask(PAYMENTS, 0)
    saga.crash("payment_service")
    assert saga.till.kept(ORDER) == 200
    saga.settle()
    check_end(saga)


def test_a_charge_for_an_order_that_was_cancelled_meanwhile_is_not_asked_for(charge_and_cancellation: Saga) -> None:
    saga = charge_and_cancellation
    saga.asks_early = False
    saga.arrive(("payment_service", "inventory_service", str(ORDER)))
    saga.till.away = True
    saga.react(PAYMENTS)
    saga.arrive(("payment_service", "order_service", str(ORDER)))
    saga.till.away = False
    saga.settle()
    check_end(saga)
    assert (payment_of(saga).state, saga.till.charges(ORDER)) == ("voided", {})


def test_a_failed_refund_is_owed_until_an_operator_has_it_made_again() -> None:
    saga = new_saga()
    saga.receive_stock("cup", 2)
    order_id = saga.place([UnpricedLine("cup", 2)], "pm_sim_refund_failed_late")
    saga.settle()
    saga.cancel(order_id)
    saga.settle()
    check_end(saga)
    assert (saga.owed(), saga.till.kept(order_id)) == ([order_id], 200)
    saga.retry_refund(order_id)
    saga.settle()
    check_end(saga)
    assert (saga.owed(), saga.till.kept(order_id)) == ([], 0)


@pytest.mark.parametrize(
    ("card", "parts", "end"),
    [
        ("pm_card_visa", [200], ["refunded"]),
        ("pm_card_visa", [50, 60], ["refunded", "refunded"]),
        ("pm_sim_refund_pending", [50, 60], ["refunded", "refunded"]),
        ("pm_sim_refund_failed", [50, 60], ["taken_over", "refunded"]),
        ("pm_sim_disputed", [50], ["taken_over"]),
        ("pm_sim_refund_failed_late", [50], ["taken_over"]),
    ],
)
def test_a_cancellation_after_parts_gives_back_exactly_the_rest(card: str, parts: list[int], end: list[str]) -> None:
    saga = new_saga()
    saga.receive_stock("cup", 2)
    order_id = saga.place([UnpricedLine("cup", 2)], card)
    saga.settle()
    for amount in parts:
        saga.refund_part(order_id, amount)
        saga.settle()
    check_end(saga)
    saga.cancel(order_id)
    saga.settle()
    check_end(saga)
    assert (saga.till.kept(order_id), payment_of(saga).state) == (0, "refunded")
    assert [part["state"] for part in payment_of(saga).parts] == end


def test_a_part_that_fails_after_the_cancellation_is_owed_until_it_is_made_again() -> None:
    saga = new_saga()
    saga.receive_stock("cup", 2)
    order_id = saga.place([UnpricedLine("cup", 2)], "pm_sim_refund_pending_failed")
    saga.settle()
    saga.refund_part(order_id, 50)
    while saga.pipes or saga.lines:
        move_all(saga)
    saga.cancel(order_id)
    while saga.pipes or saga.lines:
        move_all(saga)
    assert (payment_of(saga).state, payment_of(saga).refund_amount) == ("refunded", 150)
    saga.check_refund(order_id)
    saga.settle()
    check_end(saga)
    assert (saga.owed(), saga.till.kept(order_id)) == ([order_id], 50)
    saga.retry_refund(order_id)
    saga.settle()
    check_end(saga)
    assert (saga.owed(), saga.till.kept(order_id)) == ([], 0)


def move_all(saga: Saga) -> None:
    """What is on its way arrives and is handled; no refund is looked at."""
    for pipe in list(saga.pipes):
        saga.arrive(pipe)
    for line in list(saga.lines):
        saga.react(line)


def payment_of(saga: Saga) -> Payment:
    payment = saga.parties["payment_service"].find(Payment, ORDER)
    assert payment is not None
    return payment


def test_a_refund_that_is_pending_when_nothing_is_on_its_way_is_settled_too() -> None:
    saga = new_saga()
    saga.receive_stock("cup", 1)
    saga.place([UnpricedLine("cup", 1)], "pm_sim_refund_pending")
    saga.settle()
    saga.refund_part(ORDER, 50)
    saga.react(saga.arrive(next(iter(saga.pipes))))
    saga.settle()
    check_end(saga)
