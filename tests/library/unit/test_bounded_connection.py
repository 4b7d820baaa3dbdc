"""A wait for an answer ends by the clock only while there is none."""

from collections.abc import Generator

import pytest
from psycopg.waiting import Ready, Wait

from ordersaga.runtime import bounded_connection
from ordersaga.runtime.bounded_connection import AnswerOverdue, bounded


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The last entry is the time."""
    times = [100.0]
    monkeypatch.setattr(bounded_connection, "monotonic", lambda: times[-1])
    return times


def two_pieces() -> Generator[Wait, Ready | int, str]:
    """An answer of two pieces."""
    for _ in range(2):
        while (yield Wait.R) == Ready.NONE:
            pass
    return "answer"


def test_without_an_answer_the_wait_ends_when_its_seconds_have_passed(clock: list[float]) -> None:
    wait = bounded(two_pieces(), 5)
    assert next(wait) == Wait.R
    wait.send(Ready.NONE)
    clock.append(105.0)
    wait.send(Ready.NONE)
    clock.append(105.1)
    with pytest.raises(AnswerOverdue, match="for 5 s"):
        wait.send(Ready.NONE)


def test_an_answer_that_is_there_is_read_however_late_because_the_process_may_have_been_frozen(
    clock: list[float],
) -> None:
    wait = bounded(two_pieces(), 5)
    next(wait)
    wait.send(Ready.NONE)
    clock.append(500.0)
    wait.send(Ready.R)
    with pytest.raises(StopIteration) as ended:
        wait.send(Ready.R)
    assert ended.value.value == "answer"


def test_half_an_answer_ends_the_wait_too(clock: list[float]) -> None:
    wait = bounded(two_pieces(), 5)
    next(wait)
    wait.send(Ready.NONE)
    wait.send(Ready.R)
    clock.append(500.0)
    with pytest.raises(AnswerOverdue):
        wait.send(Ready.NONE)
