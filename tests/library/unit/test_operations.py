"""An operation makes so many calls at once, in the order of its line, and tells how each ended."""

from uuid import uuid4

import prometheus_client
import pytest

from ordersaga.inbox import circuit
from ordersaga.inbox.delivery import Received, read
from ordersaga.inbox.operation import OUTCOMES, Operation, Step
from ordersaga.inbox.pace import Pace
from ordersaga.runtime.errors import RateLimited
from tests.support.counting import Asked
from tests.support.parking import delivery, handler
from tests.support.workers import counted

GAUGES = ("calls_in_progress", "waiting_messages")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def operation(clock: Clock) -> Operation:
    """Two calls at once, and one call in two seconds."""
    return Operation("machine", uuid4().hex, 2, Pace(0.5, clock))


@pytest.fixture
def unpaced() -> Operation:
    return Operation("machine", uuid4().hex, 2, Pace())


@pytest.fixture(autouse=True)
def _no_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(circuit, "PROBE_SECONDS", 3600)


def steps(number: int) -> list[Step]:
    found = [read(delivery(counted(uuid4(), 1, Asked)), handler.contracts) for _ in range(number)]
    return [Step(message, fresh=True) for message in found if isinstance(message, Received)]


def sample(operation: Operation, name: str, **labels: str) -> float | None:
    _, _, own = operation.name.partition("/")
    given = {"resource": "machine", "operation": own, **labels}
    return prometheus_client.REGISTRY.get_sample_value(f"ordersaga_outside_{name}", given)


def shown(operation: Operation) -> list[float | None]:
    """Calls under way and steps in the line, as the gauges have it."""
    return [sample(operation, name) for name in GAUGES]


def outcomes(operation: Operation) -> dict[str, float | None]:
    found = {outcome: sample(operation, "calls_total", outcome=outcome) for outcome in OUTCOMES}
    return {outcome: number for outcome, number in found.items() if number}


def break_circuit(operation: Operation) -> None:
    for _ in range(circuit.MAX_FAILURES):
        with pytest.raises(ConnectionError), operation.call():
            raise ConnectionError("no answer")
    assert operation.circuit.refuses


def test_a_step_has_no_place_and_may_be_cancelled_until_it_calls() -> None:
    new, calling, called, cancelled = steps(4)
    assert (new.has_place, new.is_held_up, new.limited) == (False, False, 0)
    assert new.cancel()
    assert calling.begin_call()
    assert not calling.cancel()
    assert called.begin_call()
    called.end_call()
    assert called.cancel()
    cancelled.cancel()
    assert not cancelled.begin_call()


def test_a_step_has_its_answer_or_its_error_unless_it_was_cancelled() -> None:
    answered, failed, cancelled = steps(3)
    answered.settle("hello")
    failed.settle(error=ValueError("no"))
    cancelled.cancel()
    cancelled.settle("hello")
    assert answered.result(0) == "hello"
    assert isinstance(failed.exception(0), ValueError)
    assert cancelled.cancelled()


def test_so_many_calls_run_at_once_and_no_more(unpaced: Operation) -> None:
    assert (unpaced.has_place, unpaced.is_ready, shown(unpaced)) == (True, True, [0, 0])
    first, second, third = steps(3)
    assert unpaced.admit(first)
    assert unpaced.is_ready
    assert unpaced.admit(first), "it has its place"
    assert unpaced.admit(second)
    assert not unpaced.admit(third)
    assert (unpaced.has_place, unpaced.is_ready, shown(unpaced)) == (False, False, [2, 0])
    unpaced.leave(third)
    unpaced.leave(first)
    unpaced.leave(first)
    assert (first.has_place, shown(unpaced)) == (False, [1, 0])
    assert unpaced.admit(third)


def test_nobody_passes_those_who_wait(unpaced: Operation) -> None:
    first, second = steps(2)
    unpaced.wait(first)
    assert not unpaced.is_ready
    assert not unpaced.admit(second)
    unpaced.wait(second)
    assert shown(unpaced) == [0, 2]
    assert [unpaced.next_step(), unpaced.next_step(), unpaced.next_step()] == [first, second, None]
    assert shown(unpaced) == [2, 0]


def test_who_was_called_too_often_is_the_first_of_the_line_again(unpaced: Operation) -> None:
    first, limited = steps(2)
    limited.limited = 1
    unpaced.wait(first)
    unpaced.wait(limited)
    assert unpaced.next_step() is limited


def test_the_line_stands_while_all_places_are_taken(unpaced: Operation) -> None:
    first, second, third = steps(3)
    for each in (first, second):
        unpaced.admit(each)
    unpaced.wait(third)
    assert unpaced.next_step() is None
    assert unpaced.seconds_until_next == 0.0
    unpaced.leave(first)
    assert unpaced.next_step() is third
    assert third.has_place


def test_a_step_that_is_cancelled_or_dropped_holds_nobody_up(unpaced: Operation) -> None:
    cancelled, dropped, third = steps(3)
    for each in (cancelled, dropped, third):
        unpaced.wait(each)
    cancelled.cancel()
    assert unpaced.drop(dropped)
    assert not unpaced.drop(dropped)
    assert shown(unpaced) == [0, 2]
    assert unpaced.next_step() is third
    assert shown(unpaced) == [1, 0]


def test_the_line_goes_on_at_the_pace_of_the_resource(operation: Operation, clock: Clock) -> None:
    first, second, third = steps(3)
    assert operation.seconds_until_next == 0.0
    assert operation.admit(first)
    assert operation.seconds_until_next == 0.0, "nobody waits"
    assert not operation.is_ready
    clock.now += 1.5
    assert not operation.is_ready, "a call may be made in half a second"
    assert not operation.admit(second)
    operation.wait(second)
    assert operation.next_step() is None
    assert operation.seconds_until_next == 0.5
    clock.now += 0.5
    assert operation.next_step() is second
    assert second.has_place
    operation.wait(third)
    assert operation.seconds_until_next == 0.0, "it is a place that it waits for"


def test_while_the_circuit_is_open_the_line_goes_on_to_be_refused_and_takes_no_place(operation: Operation) -> None:
    calling, also, waiting = steps(3)
    assert operation.admit(calling)
    operation.take_place(also)
    operation.wait(waiting)
    assert operation.problem == ""
    break_circuit(operation)
    assert "(messages in hand that need it: 3; the others are parked)" in operation.problem
    assert operation.next_step() is waiting
    assert not waiting.has_place
    assert shown(operation) == [2, 0]
    for each in (calling, also):
        operation.leave(each)
    assert operation.next_step() is None


def test_a_parked_message_is_not_tried_while_the_circuit_is_open(unpaced: Operation) -> None:
    assert unpaced.is_ready
    break_circuit(unpaced)
    assert not unpaced.is_ready


def test_every_call_is_counted_by_how_it_ended(unpaced: Operation) -> None:
    for error in (None, ValueError(), ValueError(), ConnectionError(), RateLimited("slow down", 0.0)):
        try:
            with unpaced.call():
                if error:
                    raise error
        except (ValueError, ConnectionError, RateLimited):
            pass
    assert outcomes(unpaced) == {"answered": 1, "failed": 2, "unavailable": 1, "rate_limited": 1}
    assert sample(unpaced, "call_duration_seconds_count") == 5


def test_a_resource_that_asks_for_a_pause_gets_it_and_one_that_answers_pauses_briefly_again(clock: Clock) -> None:
    operation = Operation("machine", uuid4().hex, 2, Pace(0.0, clock))

    def be_limited() -> float:
        with pytest.raises(RateLimited), operation.call():
            raise RateLimited("slow down", None)
        pause = operation.pace.seconds()
        clock.now += pause
        return pause

    assert [be_limited(), be_limited()] == [1.0, 2.0]
    with operation.call():
        pass
    assert be_limited() == 1.0
    with pytest.raises(ValueError, match="no"), operation.call():
        raise ValueError("no")
    assert operation.pace.seconds() == 0.0
