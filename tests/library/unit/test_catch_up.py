"""A catch-up publishes each row that its audience lacks once, page by page, up to its goal; without servers."""

import threading

import pytest

from ordersaga.broker.topology import EVENTS
from ordersaga.relay import catch_up, session
from ordersaga.relay.catch_up import ASK_SECONDS
from ordersaga.relay.confirms import Outcome
from ordersaga.relay.publisher import BrokerUnavailable
from ordersaga.relay.window import Cursor
from tests.library.unit.catching_up import FROM, INSIDE, LATER, OTHERS, TO, CatchUpStandIns, Rounds, install, run_to_end
from tests.library.unit.outgoing import row


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> CatchUpStandIns:
    return install(monkeypatch)


def test_its_audience_gets_what_it_lacks_up_to_the_goal_and_each_step_is_recorded(outside: CatchUpStandIns) -> None:
    outside.window(FROM, TO, row(1), row(2), row(3))
    outside.make()
    run_to_end(outside)
    assert outside.sent == [("events.one", 1), ("events.one", 2), ("events.one", 3)]
    assert outside.moves == [Cursor("10:10:", "20:20:", 1), Cursor("10:10:", "20:20:", 3), TO]
    assert outside.reached == TO
    assert outside.thread.passing == set()


def test_what_was_recorded_is_not_sent_again_and_its_window_is_published_to_its_end(outside: CatchUpStandIns) -> None:
    outside.window(FROM, TO, row(1), row(2), row(3))
    outside.window(TO, LATER, row(4))
    outside.reached = INSIDE
    outside.make()
    run_to_end(outside, LATER)
    assert outside.positions == [3, 4]
    assert outside.opened == [INSIDE, Cursor(TO.published, LATER.published)]


def test_a_goal_inside_a_window_is_not_passed(outside: CatchUpStandIns) -> None:
    """The relay retries and records what is behind it."""
    outside.window(FROM, TO, row(1), row(2), row(3))
    outside.make()
    run_to_end(outside, INSIDE)
    assert outside.positions == [1, 2]
    assert outside.reached == INSIDE


def test_a_goal_inside_a_later_window_is_reached_through_the_windows_before_it(outside: CatchUpStandIns) -> None:
    outside.window(FROM, TO, row(1), row(5))
    outside.window(TO, LATER, row(2), row(3), row(6))
    outside.make()
    run_to_end(outside, goal := Cursor(TO.published, LATER.published, 3))
    assert outside.positions == [1, 5, 2, 3]
    assert outside.reached == goal


def test_until_the_relay_names_a_goal_nothing_is_published_and_the_session_is_kept(outside: CatchUpStandIns) -> None:
    outside.window(FROM, TO, row(1))
    outside.steps = [lambda: None, lambda: setattr(outside.thread, "goal", TO)]
    outside.make()
    run_to_end(outside, None)
    assert outside.positions == [1]
    assert outside.waited == 3
    assert outside.statements == [session.SETTINGS, "", "", "", ""]


def test_a_row_that_is_gone_ends_the_attempt_and_the_next_reads_it_again(outside: CatchUpStandIns) -> None:
    outside.reached = None
    outside.make(rounds=2)
    run_to_end(outside)
    assert outside.connections == outside.closed == 2
    assert outside.thread._end.waits == [1.0, 1.0]  # type: ignore[attr-defined]


def test_nothing_is_sent_before_the_queue_answers_and_the_queue_is_asked_each_second(outside: CatchUpStandIns) -> None:
    outside.answers = [False, False, True]
    outside.window(FROM, TO, row(1))
    outside.make()
    run_to_end(outside)
    assert outside.slept == [ASK_SECONDS, ASK_SECONDS]
    assert outside.positions == [1]


def test_a_thread_that_is_to_end_while_the_queue_is_silent_takes_no_turn(outside: CatchUpStandIns) -> None:
    outside.answers = [False]
    outside.make()
    run_to_end(outside)
    assert outside.connections == 0


def test_queues_of_no_group_are_not_asked_and_get_what_they_lack_through_events(outside: CatchUpStandIns) -> None:
    outside.answers = [False]
    outside.window(FROM, TO, row(1, contract="a.other.v1"))
    outside.make(OTHERS)
    run_to_end(outside)
    assert outside.slept == []
    assert outside.sent == [(EVENTS, 1)]


def test_a_turn_is_awaited_and_given_back(outside: CatchUpStandIns) -> None:
    turns = outside.make(rounds=2)._access.turns
    outside.reached = None
    run_to_end(outside)
    assert outside.connections == 2
    assert turns.acquire(blocking=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catch_up, "ASK_SECONDS", 0)
        outside.thread._end = Rounds(1)
        outside.thread.run()
    assert outside.connections == 2
    assert not turns.acquire(blocking=False)


def test_the_first_message_after_each_connection_is_sent_alone_and_then_pages(outside: CatchUpStandIns) -> None:
    """It asks whether anybody takes messages: a queue that does not gets no page."""
    outside.window(FROM, TO, *map(row, range(1, 7)))
    outside.outcomes = [Outcome(1, ()), Outcome(2, ()), BrokerUnavailable("gone")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catch_up, "PAGE", 2)
        outside.make(rounds=2)
        run_to_end(outside)
    assert [at_most for at_most, _ in outside.settled] == [0, 1, 1, 0, 1]
    assert outside.positions == [1, 2, 3, 4, 5, 4, 5, 6]


def test_a_page_that_bytes_cut_short_is_followed_by_the_rest_and_purged_rows_are_passed(
    outside: CatchUpStandIns,
) -> None:
    outside.window(FROM, TO, *map(row, range(1, 10)))
    for purged in (1, 5, 6, 9):
        del outside.rows[purged]
    outside.at_once = 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catch_up, "PAGE", 3)
        outside.make()
        run_to_end(outside)
    assert outside.positions == [2, 3, 4, 7, 8]
    assert [move.confirmed_position for move in outside.moves] == [1, 2, 4, 7, 8, 9, None]


@pytest.mark.parametrize(("lacking", "is_near"), [(3, True), (4, False)])
def test_a_page_at_most_is_near(outside: CatchUpStandIns, lacking: int, is_near: bool) -> None:
    outside.window(FROM, TO, *map(row, range(1, lacking + 1)))
    outside.outcomes = [BrokerUnavailable("gone")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catch_up, "PAGE", 3)
        outside.make()
        run_to_end(outside)
    assert outside.thread.is_near is is_near


def test_who_waits_for_a_goal_is_told_as_soon_as_it_is_reached(outside: CatchUpStandIns) -> None:
    class Meeting(threading.Condition):
        """The catch-up runs while somebody waits."""

        told = False

        def wait(self, timeout: float | None = None) -> bool:
            if timeout:
                run_to_end(outside)
                assert self.told, "the relay would wait until its time is over"
            return self.told

        def notify_all(self) -> None:
            self.told = True

    outside.window(FROM, TO, row(1))
    outside.make()._progress = Meeting()
    assert not outside.thread.is_near
    assert outside.thread.reaches(TO, 60)
    assert outside.thread.is_near
    assert not outside.thread.reaches(LATER, 0)
