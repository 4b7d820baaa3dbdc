"""The delays between tries, and what is tried again at once."""

import random
import time
from datetime import timedelta

import psycopg
import pytest

from ordersaga.parked import table
from ordersaga.runtime.backoff import Backoff, retry_on_conflict
from ordersaga.runtime.errors import Conflict


def delays(monkeypatch: pytest.MonkeyPatch, policy: Backoff, chance: float, tries: int) -> list[float]:
    monkeypatch.setattr(random, "random", lambda: chance)
    return [policy.seconds(number) for number in range(1, tries + 1)]


def test_delays_grow_by_their_factor_to_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    assert delays(monkeypatch, Backoff(1, 10), 0.0, 6) == [1, 2, 4, 8, 10, 10]
    assert delays(monkeypatch, Backoff(1, 10, factor=3), 0.0, 4) == [1, 3, 9, 10]


def test_jitter_is_the_share_of_a_delay_that_chance_takes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    assert delays(monkeypatch, Backoff(8, 8, jitter=0), 1.0, 1) == [8]
    assert delays(monkeypatch, Backoff(8, 8, jitter=0.5), 1.0, 1) == [4]
    assert delays(monkeypatch, Backoff(8, 8), 1.0, 1) == [0]


def test_no_number_of_tries_overflows() -> None:
    assert 0 <= Backoff(0.2, 5).seconds(1_000_000) <= 5


def test_an_outage_of_half_an_hour_makes_no_message_dead_however_the_delays_fall(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert sum(delays(monkeypatch, table.BACKOFF, 1.0, table.MAX_ATTEMPTS - 1)) >= timedelta(minutes=30).total_seconds()


def test_a_message_is_tried_at_least_every_five_minutes_and_a_person_is_asked_within_little_more_than_an_hour(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    longest = delays(monkeypatch, table.BACKOFF, 0.0, table.MAX_ATTEMPTS - 1)
    assert max(longest) == timedelta(minutes=5).total_seconds()
    assert sum(longest) == 3811


class Work:
    """Raises the errors in turn, then returns the number of tries."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.tries = 0

    def __call__(self) -> int:
        self.tries += 1
        if self.errors:
            raise self.errors.pop(0)
        return self.tries


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    sleeps: list[float] = []
    monkeypatch.setattr(time, "sleep", sleeps.append)
    return sleeps


def test_a_conflict_is_tried_again_after_a_growing_delay(slept: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "random", lambda: 0.0)
    assert retry_on_conflict(Work(Conflict(), psycopg.errors.DeadlockDetected())) == 3
    assert slept == [0.002, 0.004]


def test_the_last_conflict_is_raised() -> None:
    work = Work(*[Conflict(str(number)) for number in range(9)])
    with pytest.raises(Conflict, match="4"):
        retry_on_conflict(work, retries=4)
    assert work.tries == 5


def test_no_other_error_is_tried_again(slept: list[float]) -> None:
    work = Work(ValueError("wrong"))
    with pytest.raises(ValueError, match="wrong"):
        retry_on_conflict(work)
    assert (work.tries, slept) == (1, [])
