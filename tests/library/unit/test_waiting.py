"""How long an answer may be held back, and who may wait."""

import pytest

from ordersaga.http.waiting import WaitingRoom, preferred_wait, wait_for


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", 0),
        ("wait=5", 5),
        ("respond-async, wait=10", 10),
        ("return=minimal; wait = 3", 3),
        ('Wait="7"', 7),
        ("wait=100000", 30),
        ("wait=-1", 0),
        ("wait=soon", 0),
        ("await=5", 0),
        ("wait", 0),
        ("wait=" + "9" * 5000, 0),
    ],
)
def test_a_preference_is_read_and_bounded(header: str, seconds: int) -> None:
    assert preferred_wait(header) == seconds


def test_a_waiting_room_has_so_many_places_and_gets_them_back() -> None:
    room = WaitingRoom(1)
    for _ in range(2):
        with room.place() as first, room.place() as second:
            assert (first, second) == (True, False)


def test_waiting_ends_with_what_was_found_or_with_the_time() -> None:
    looks = iter([None, None, "found"])
    assert wait_for(lambda: next(looks), seconds=5) == "found"
    assert wait_for(lambda: None, seconds=0.01) is None
