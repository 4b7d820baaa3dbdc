"""Each operation of a resource has calls of its own at once: one that hangs keeps none from another."""

from collections.abc import Iterator
from contextlib import ExitStack
from threading import Event
from typing import Any
from uuid import UUID, uuid4

import pytest

from ordersaga.consumer.key_queues import KeyQueues
from ordersaga.inbox.circuit import MAX_FAILURES
from ordersaga.inbox.delivery import Received
from ordersaga.inbox.limits import ResourceLimits
from ordersaga.inbox.operation import CALLS, Step
from ordersaga.inbox.outside import OutsideSteps
from ordersaga.inbox.reactions import Reactions
from ordersaga.runtime.errors import CircuitOpen, NotCalled, RateLimited, ResourceUnavailable
from ordersaga.store.transaction import Transaction
from tests.support import parking, workers
from tests.support.counting import GROUP, Asked, Counted, announcements, keep
from tests.support.databases import Database, Databases
from tests.support.wait import until

BANK = "bank"
PAY_AT_ONCE = 3
ONCE_LIMITED = 17


class Bank:
    """What the steps ask: `pay` hangs until it is let go, `ask` answers."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []
        self.is_answering = Event()
        self.failing = False
        self.limited: set[int] = set()

    def pay(self, message: Counted, _: Transaction, __: Any) -> str:
        self.calls.append(("pay", message.number))
        self.is_answering.wait(20)
        if self.failing:
            raise ResourceUnavailable("no answer")
        return "paid"

    def ask(self, message: Asked, _: Transaction, __: Any) -> str:
        self.calls.append(("ask", message.number))
        if message.number == ONCE_LIMITED and message.number not in self.limited:
            self.limited.add(message.number)
            raise RateLimited("too often", 0.01)
        return "told"

    def paid(self) -> list[int]:
        return [number for name, number in list(self.calls) if name == "pay"]


def needs_payment(message: Counted, transaction: Transaction) -> bool:
    """Not a message that another follows before anyone has asked for it."""
    is_followed = transaction.is_parked(Asked, str(message.counter_id))
    return message.number > 0 and (transaction.may_have_called or not is_followed)


def reacting(bank: Bank) -> Reactions:
    reactions = Reactions()
    reactions.to(
        Counted, outside=bank.pay, needs_outside=needs_payment, resource=BANK, operation="pay", at_once=PAY_AT_ONCE
    )(keep)
    reactions.to(Asked, outside=bank.ask, resource=BANK, operation="ask")(keep)
    return reactions


@pytest.fixture
def bank() -> Iterator[Bank]:
    bank = Bank()
    yield bank
    bank.is_answering.set()


@pytest.fixture
def database(database: Databases) -> Database:
    return database(GROUP)


@pytest.fixture
def steps(bank: Bank, database: Database) -> Iterator[OutsideSteps]:
    with ExitStack() as stack:
        steps = stack.enter_context(OutsideSteps(reacting(bank), announcements, None, database.url, Event()))
        stack.callback(bank.is_answering.set)
        yield steps


def received(number: int, contract: type[Counted] = Counted, key: UUID | None = None) -> Received:
    return parking.received(workers.counted(key or uuid4(), number, contract))


def pay(steps: OutsideSteps, bank: Bank, number: int) -> list[Step]:
    """Start so many payments, and wait until as many are called as may be."""
    started = [steps.start(received(each + 1), fresh=True) for each in range(number)]
    until(lambda: len(bank.paid()) == min(number, PAY_AT_ONCE))
    until(lambda: len(steps.operations["bank/pay"].waiting) == max(0, number - PAY_AT_ONCE))
    return started


def outcomes(operation: str) -> dict[str, float]:
    names = ("answered", "failed", "unavailable", "rate_limited", "refused")
    return {name: CALLS.labels(BANK, operation, name)._value.get() for name in names}


def test_an_operation_that_hangs_keeps_no_thread_from_another_nor_from_what_needs_no_call(
    bank: Bank, steps: OutsideSteps
) -> None:
    hanging = pay(steps, bank, steps.places + 10)
    assert [steps.start(received(number, Asked), fresh=True).result(20) for number in (1, 2)] == ["told", "told"]
    assert steps.start(received(0), fresh=True).result(20) is None
    assert len(bank.paid()) == PAY_AT_ONCE
    bank.is_answering.set()
    assert {step.result(20) for step in hanging} == {"paid"}


def test_what_waits_for_a_call_is_spared_it_when_a_message_comes_behind_it_that_makes_it_needless(
    bank: Bank, steps: OutsideSteps
) -> None:
    pay(steps, bank, PAY_AT_ONCE)
    key = uuid4()
    queues, first = KeyQueues(steps, lambda: None), received(101, key=key)
    assert not [*queues.add([first])]
    queues.start()
    until(lambda: len(steps.operations["bank/pay"].waiting) == 1)
    assert not [*queues.add([received(102, Asked, key)])]
    until(lambda: queues.has_completed)
    assert [*queues.completed()] == [first]
    assert (first.answer, first.failure) == (None, None)
    assert 101 not in bank.paid()


def test_a_call_under_way_is_not_spared(bank: Bank, steps: OutsideSteps) -> None:
    key = uuid4()
    queues, first = KeyQueues(steps, lambda: None), received(101, key=key)
    assert not [*queues.add([first])]
    queues.start()
    until(lambda: bank.paid() == [101])
    assert not [*queues.add([received(102, Asked, key)])]
    bank.is_answering.set()
    until(lambda: queues.has_completed)
    assert [*queues.completed()] == [first]
    assert first.answer == "paid"


def test_a_redelivered_message_is_not_spared_its_call_because_an_earlier_delivery_may_have_made_it(
    bank: Bank, steps: OutsideSteps
) -> None:
    pay(steps, bank, PAY_AT_ONCE)
    again = received(101)
    again.delivery = again.delivery._replace(delivered_before=1)
    again.behind.append(Asked.NAME)
    step = steps.start(again, fresh=True)
    until(lambda: len(steps.operations["bank/pay"].waiting) == 1)
    bank.is_answering.set()
    assert step.result(20) == "paid"


def test_a_parked_message_waits_in_its_table_and_not_in_hand(bank: Bank, steps: OutsideSteps) -> None:
    pay(steps, bank, PAY_AT_ONCE)
    assert "bank/pay" in steps.unready_operations
    assert "bank/ask" not in steps.unready_operations
    with pytest.raises(NotCalled, match="bank/pay has no place"):
        steps.start(received(101), fresh=False).result(20)


def test_the_circuit_of_one_operation_leaves_the_others_closed_and_lets_nothing_wait(
    bank: Bank, steps: OutsideSteps
) -> None:
    refused_before = outcomes("pay")["refused"]
    bank.failing = True
    waiting = pay(steps, bank, MAX_FAILURES + PAY_AT_ONCE)
    bank.is_answering.set()
    failures = [type(step.exception(20)) for step in waiting]
    assert failures.count(ResourceUnavailable) >= MAX_FAILURES
    with pytest.raises(CircuitOpen):
        steps.start(received(200), fresh=True).result(20)
    [problem] = steps.problems
    assert "the bank does not answer since" in problem
    assert "(operation pay)" in problem
    assert steps.start(received(1, Asked), fresh=True).result(20) == "told"
    assert outcomes("pay")["refused"] == refused_before + failures.count(CircuitOpen) + 1


def test_an_answer_that_it_is_called_too_often_slows_a_resource_and_opens_no_circuit(
    bank: Bank, steps: OutsideSteps
) -> None:
    before = outcomes("ask")
    assert steps.start(received(ONCE_LIMITED, Asked), fresh=True).result(20) == "told"
    assert bank.calls == [("ask", ONCE_LIMITED)] * 2
    assert steps.problems == []
    after = outcomes("ask")
    assert (after["rate_limited"], after["answered"]) == (before["rate_limited"] + 1, before["answered"] + 1)


def test_steps_beyond_the_rate_limit_wait_without_a_thread_and_are_called_in_turn(
    bank: Bank, database: Database
) -> None:
    bank.is_answering.set()
    limits = {BANK: ResourceLimits(calls_per_second=20.0)}
    with OutsideSteps(reacting(bank), announcements, None, database.url, Event(), resource_limits=limits) as steps:
        asked = [steps.start(received(number + 20, Asked), fresh=True) for number in range(24)]
        until(lambda: len(bank.calls) >= 20)
        assert steps.start(received(0), fresh=True).result(20) is None
        paid = steps.start(received(1), fresh=True)
        assert {step.result(20) for step in asked} == {"told"}
        assert paid.result(20) == "paid"


def test_a_cancelled_step_that_waits_is_never_called(bank: Bank, steps: OutsideSteps) -> None:
    started = pay(steps, bank, PAY_AT_ONCE + 1)
    [waiting] = set(range(1, PAY_AT_ONCE + 2)) - set(bank.paid())
    assert started[waiting - 1].cancel()
    bank.is_answering.set()
    assert steps.start(received(102), fresh=True).result(20) == "paid"
    assert waiting not in bank.paid()


def test_steps_that_wait_for_a_session_of_the_database_are_a_problem_that_is_named(bank: Bank) -> None:
    url, stopping = "postgresql://nobody@127.0.0.1:1/nowhere", Event()
    with OutsideSteps(reacting(bank), announcements, None, url, stopping) as steps:
        steps.pool.timeout = 0.1
        step = steps.start(received(1), fresh=True)
        [problem] = until(lambda: steps.problems)
        assert problem.startswith("the database, for outside steps, is away")
        stopping.set()
        assert "stopped" in str(step.exception(20))
        until(lambda: not steps.problems)
