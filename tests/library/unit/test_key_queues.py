"""While a message is at its outside step, those of its key wait behind it in order, and it knows them."""

from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Timer
from typing import Any
from uuid import UUID, uuid4

import pytest

from ordersaga.consumer.key_queues import KeyQueues
from ordersaga.inbox.delivery import Broken, Received, read
from tests.support.counting import Asked, Counted
from tests.support.parking import delivery, handler, received
from tests.support.workers import counted

KEY = uuid4()


@dataclass
class StartedSteps:
    """The steps that were started, and those that were decided again."""

    steps: dict[UUID, "Future[Any]"] = field(default_factory=dict)
    again: list["Future[Any]"] = field(default_factory=list)

    def needed(self, message: Received | Broken) -> bool:
        return isinstance(message, Received) and message.contract == Asked.NAME

    def start(self, message: Received, fresh: bool) -> "Future[Any]":
        assert fresh
        return self.steps.setdefault(message.id, Future())

    def reconsider(self, step: "Future[Any]") -> None:
        self.again.append(step)


def asked(number: int) -> Received:
    return received(counted(KEY, number, Asked))


def plain(number: int) -> Received:
    """A message that needs no step."""
    return received(counted(KEY, number))


def broken(number: int) -> Broken:
    message = read(delivery(counted(KEY, number), b"{"), handler.contracts)
    assert isinstance(message, Broken)
    assert message.key == str(KEY)
    return message


@pytest.fixture
def steps() -> StartedSteps:
    return StartedSteps()


@pytest.fixture
def woken() -> list[str]:
    return []


@pytest.fixture
def queues(steps: StartedSteps, woken: list[str]) -> KeyQueues:
    outside: Any = steps
    return KeyQueues(outside, lambda: woken.append("woken"))


def test_the_consumer_is_woken_when_a_step_ends_and_not_before(
    queues: KeyQueues, steps: StartedSteps, woken: list[str]
) -> None:
    first = asked(1)
    assert list(queues.add([first])) == []
    queues.start()
    assert (woken, queues.has_completed) == ([], False)
    steps.steps[first.id].set_result("yes")
    assert (woken, queues.has_completed) == (["woken"], True)
    assert [message.answer for message in queues.completed() if isinstance(message, Received)] == ["yes"]
    assert not queues


def test_the_first_of_a_key_knows_the_readable_messages_behind_it_and_is_decided_again_for_each(
    queues: KeyQueues, steps: StartedSteps
) -> None:
    first = asked(1)
    assert list(queues.add([first])) == []
    queues.start()
    assert list(queues.add([plain(2), broken(3)])) == []
    assert first.behind == [Counted.NAME]
    assert steps.again == [steps.steps[first.id]]


def test_what_needs_no_step_goes_on_with_the_one_before_it_and_the_next_step_knows_what_is_behind_it(
    queues: KeyQueues, steps: StartedSteps
) -> None:
    first, second, third = asked(1), plain(2), asked(3)
    assert list(queues.add([first, second, third, broken(4), plain(5), asked(6)])) == []
    queues.start()
    steps.steps[first.id].set_result(None)
    assert list(queues.completed()) == [first, second]
    assert third.behind == [Counted.NAME, Asked.NAME]
    queues.start()
    assert third.id in steps.steps


def test_a_step_waits_for_nothing_once_its_messages_are_dropped_and_what_comes_again_begins_anew(
    queues: KeyQueues, steps: StartedSteps
) -> None:
    before = asked(1)
    assert list(queues.add([before])) == []
    queues.start()
    running = steps.steps.pop(before.id)
    running.set_running_or_notify_cancel()
    Timer(0.02, running.set_result, ["late"]).start()
    queues.clear()
    assert running.done(), "a step that is under way ends before its message is given back"
    assert not queues
    again = asked(1)
    assert list(queues.add([plain(1)])) != [], "no message waits behind one that was dropped"
    assert list(queues.add([again])) == []
    queues.start()
    steps.steps[again.id].set_result("in time")
    assert list(queues.completed()) == [again], "what ended late keeps no other from its turn"
    assert again.answer == "in time"


def test_a_step_that_has_not_begun_is_cancelled_when_its_message_is_dropped(
    queues: KeyQueues, steps: StartedSteps
) -> None:
    first = asked(1)
    assert list(queues.add([first])) == []
    queues.start()
    queues.clear()
    assert steps.steps[first.id].cancelled()
    assert list(queues.completed()) == []
