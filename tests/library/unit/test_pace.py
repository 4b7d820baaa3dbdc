"""A resource is called as often as it may be, and not while it asks for a pause."""

from ordersaga.inbox.pace import MAX_PAUSE_SECONDS, Pace


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_without_a_limit_every_call_may_be_made_at_once() -> None:
    pace = Pace(clock=Clock())
    assert [pace.take() for _ in range(1000)] == [0.0] * 1000


def test_a_second_of_calls_may_be_made_at_once_and_then_one_after_another() -> None:
    clock = Clock()
    pace = Pace(4.0, clock)
    assert [pace.take() for _ in range(4)] == [0.0] * 4
    for _ in range(8):
        assert pace.take() == pace.seconds() == 0.25
        clock.now += 0.25
        assert pace.take() == 0.0
    clock.now += 3600
    assert [pace.take() for _ in range(5)] == [0.0] * 4 + [0.25]


def test_less_than_one_call_a_second_is_a_limit_too() -> None:
    clock = Clock()
    pace = Pace(0.5, clock)
    assert [pace.take(), pace.take()] == [0.0, 2.0]


def test_nothing_is_called_during_a_pause_that_the_resource_names() -> None:
    clock = Clock()
    pace = Pace(clock=clock)
    pace.pause(30)
    pace.pause(5)
    assert pace.take() == 30
    clock.now += 30
    assert pace.take() == 0
    pace.pause(86_400)
    assert pace.take() == MAX_PAUSE_SECONDS


def test_pauses_that_nobody_names_grow_until_a_call_is_answered() -> None:
    clock = Clock()
    pace = Pace(clock=clock)
    for expected in (1, 2, 4, 8):
        pace.pause(None)
        pace.pause(None)  # of a call that was under way beside the first
        assert pace.take() == expected
        clock.now += expected
    pace.answered()
    pace.pause(None)
    assert pace.take() == 1
