"""How long a message is tried again before it is dead."""

import random
from collections.abc import Callable
from datetime import timedelta

import pytest

from ordersaga.parked import parked


def pauses(monkeypatch: pytest.MonkeyPatch, chance: Callable[[float, float], float]) -> list[timedelta]:
    """Those between the first attempt and the last one."""
    monkeypatch.setattr(random, "uniform", chance)
    return [parked.pause_after(attempts) for attempts in range(1, parked.ATTEMPTS)]


def test_an_outage_of_half_an_hour_makes_no_message_dead_however_the_pauses_fall(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert sum(pauses(monkeypatch, min), timedelta()) >= timedelta(minutes=30)


def test_a_message_is_tried_at_least_every_five_minutes_and_a_person_is_asked_within_little_more_than_an_hour(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    longest = pauses(monkeypatch, max)
    assert max(longest) == timedelta(minutes=5)
    assert sum(longest, timedelta()) == timedelta(seconds=3811)
