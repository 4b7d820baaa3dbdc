"""How long an answer may be held back, and who may wait."""

import pytest

from ordersaga.http.waiting import WaitingRoom, preferred_wait


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
        assert (room.enter(), room.enter()) == (True, False)
        room.leave()
