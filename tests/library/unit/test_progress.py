"""A relay's progress follows the rows in flight by itself, whichever of its figures is asked for."""

from collections.abc import Callable

import pytest

from ordersaga.relay.in_flight import InFlight
from ordersaga.relay.progress import Progress
from ordersaga.relay.window import Cursor
from tests.library.unit.outgoing import row

BEFORE, END = "1:1:", "9:9:"
LATER = 7.0


@pytest.fixture
def in_flight() -> InFlight:
    return InFlight()


@pytest.fixture
def progress(in_flight: InFlight) -> Progress:
    """One window of two rows, which are read and sent."""
    progress = Progress(Cursor(BEFORE), in_flight, 0.0)
    progress.open(END, LATER)
    in_flight.read([row(1), row(2)])
    progress.all_read()
    return progress


@pytest.mark.parametrize(
    "ask",
    [lambda progress: progress.is_settled, lambda progress: progress.cursor == Cursor(END)],
    ids=["is_settled", "cursor"],
)
def test_a_window_is_settled_with_its_last_row(
    in_flight: InFlight, progress: Progress, ask: Callable[[Progress], bool]
) -> None:
    assert not ask(progress)
    in_flight.mark_settled([row(2)])
    assert not ask(progress)
    in_flight.mark_settled([row(1)])
    assert ask(progress)
    assert progress.up_to_date_at == LATER


def test_within_a_window_the_cursor_stands_at_the_last_row_before_which_all_are_settled(
    in_flight: InFlight, progress: Progress
) -> None:
    assert progress.cursor == Cursor(BEFORE)
    in_flight.mark_settled([row(1)])
    assert progress.cursor == Cursor(BEFORE, END, 1)
    progress.saved(progress.cursor)
    assert progress.unsaved() is None
