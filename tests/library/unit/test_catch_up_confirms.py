"""What a catch-up sends of a page, and what it does with confirms, refusals and interruptions. No servers."""

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from ordersaga.relay.confirms import Outcome, Refusal
from ordersaga.relay.detached import Detached
from ordersaga.relay.publisher import BrokerUnavailable
from ordersaga.relay.window import Cursor, Outgoing
from tests.library.unit.catching_up import FROM, MAX_BYTES, OTHERS, QUEUE, TO, CatchUpStandIns, install, run_to_end
from tests.library.unit.outgoing import NOTHING, row


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> CatchUpStandIns:
    return install(monkeypatch)


def test_only_messages_that_the_group_receives_and_the_relay_may_send_are_lacking(outside: CatchUpStandIns) -> None:
    allowed = row(3, size=MAX_BYTES)
    invalid = replace(row(5).message, event_hash=b"")
    outside.window(
        FROM, TO, row(1, size=MAX_BYTES + 1), row(2, contract="a.other.v1"), allowed, Outgoing(5, invalid, 10)
    )
    outside.make()
    run_to_end(outside)
    assert outside.positions == [3]
    assert outside.reached == TO


def test_only_messages_of_its_partitions_are_lacking(outside: CatchUpStandIns) -> None:
    mine, other = row(1, "mine"), row(2, "other")
    assert mine.message.partition != other.message.partition
    outside.window(FROM, TO, mine, other)
    outside.make(replace(QUEUE, partitions=frozenset({mine.message.partition})))
    run_to_end(outside)
    assert outside.positions == [1]


def test_a_row_that_is_never_sent_is_not_sent_here_either(outside: CatchUpStandIns) -> None:
    outside.window(FROM, TO, row(1), row(2), row(3))
    outside.never = {1, 2}
    outside.make()
    run_to_end(outside)
    assert outside.positions == [3]
    assert outside.reached == TO


def test_a_row_of_a_key_waits_for_the_confirm_of_the_one_before_it(outside: CatchUpStandIns) -> None:
    outside.window(FROM, TO, row(1), row(2, "a"), row(3, "a"), row(4))
    unconfirmed: list[list[int]] = []
    settle = outside.settle

    def noted(at_most: int, seconds: float) -> Outcome:
        unconfirmed.append(outside.positions[len(outside.positions) - outside.unsettled :])
        return settle(at_most, seconds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outside, "settle", noted)
        outside.make()
        run_to_end(outside)
    assert unconfirmed == [[1], [2, 4], [3]]
    assert outside.reached == TO


def test_a_page_waits_while_the_relay_retries_one_of_its_rows_and_names_its_rows_before_it_looks(
    outside: CatchUpStandIns,
) -> None:
    retried = {1}
    passing: list[set[int]] = []

    def still() -> None:
        passing.append(set(outside.thread.passing))

    def no_more() -> None:
        still()
        retried.clear()

    outside.window(FROM, TO, row(1))
    outside.steps = [still, no_more]
    outside.make(retried=retried)
    run_to_end(outside)
    assert passing == [{1}, {1}]
    assert outside.positions == [1]
    assert outside.statements.count("") == 4


def test_a_page_that_waits_for_a_retry_ends_with_its_thread_and_is_not_sent(outside: CatchUpStandIns) -> None:
    outside.window(FROM, TO, row(1))
    outside.make(retried={1})
    run_to_end(outside)
    assert outside.sent == []
    assert outside.moves == []
    assert outside.thread.passing == set()


def test_a_first_message_has_20_seconds_for_its_confirm_and_the_others_5(outside: CatchUpStandIns) -> None:
    outside.window(FROM, TO, row(1), row(2))
    outside.outcomes += [NOTHING] * 21
    outside.make()
    with capture_logs() as lines:
        run_to_end(outside)
    assert [line["reason"] for line in lines] == ["no confirm"]
    assert outside.settled == [(0, 1.0)] * 21
    assert outside.moves == []
    outside.outcomes += [*[NOTHING] * 20, Outcome(1, ()), *[NOTHING] * 6]
    outside.settled.clear()
    outside.make()
    run_to_end(outside)
    assert outside.settled == [(0, 1.0)] * 27
    assert outside.moves == [Cursor("10:10:", "20:20:", 1)]


def test_each_confirm_gives_the_others_their_time_again_and_the_session_is_kept(outside: CatchUpStandIns) -> None:
    outside.window(FROM, TO, *map(row, range(1, 4)))
    outside.outcomes = [Outcome(1, ()), *[NOTHING] * 5, Outcome(1, ()), *[NOTHING] * 5, Outcome(1, ())]
    outside.make()
    run_to_end(outside)
    assert outside.reached == TO
    assert outside.settled == [(0, 1.0)] + [(1, 1.0)] * 6 + [(0, 1.0)] * 6
    assert outside.statements.count("") == 14


def run_and_end_at_the_first_confirm(outside: CatchUpStandIns) -> None:
    """Run the catch-up, and end its thread while it waits for the first confirm."""
    settle = outside.settle

    def end(at_most: int, seconds: float) -> Outcome:
        outside.thread.end()
        return settle(at_most, seconds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outside, "settle", end)
        run_to_end(outside)


def test_a_thread_that_is_to_end_waits_for_no_confirm(outside: CatchUpStandIns) -> None:
    outside.window(FROM, TO, row(1))
    outside.outcomes += [NOTHING] * 3
    outside.make(rounds=2)
    run_and_end_at_the_first_confirm(outside)
    assert len(outside.settled) == 1
    assert outside.moves == []


def test_a_thread_that_is_to_end_records_what_is_confirmed_and_reads_no_other_page(outside: CatchUpStandIns) -> None:
    outside.window(FROM, TO, row(1), row(2))
    outside.make()
    run_and_end_at_the_first_confirm(outside)
    assert outside.positions == [1]
    assert outside.moves == [Cursor("10:10:", "20:20:", 1)]


@pytest.mark.parametrize(("queue", "kind"), [(QUEUE, "nacked"), (QUEUE, "returned"), (OTHERS, "nacked")])
def test_a_refused_message_is_lacking_still(outside: CatchUpStandIns, queue: Detached, kind: str) -> None:
    outside.window(FROM, TO, refused := row(1))
    outside.outcomes = [Outcome(1, (Refusal(0, refused.message, kind, "no"),))]
    outside.make(queue)
    with capture_logs() as lines:
        run_to_end(outside)
    assert outside.moves == []
    assert [(line["log_level"], line["reason"]) for line in lines] == [("info", f"{kind}: no")]


def test_a_message_that_no_queue_of_the_others_is_bound_for_is_passed_and_named(outside: CatchUpStandIns) -> None:
    outside.window(FROM, TO, returned := row(1))
    outside.outcomes = [Outcome(1, (Refusal(0, returned.message, "returned", "no"),))]
    outside.make(OTHERS)
    with capture_logs() as lines:
        run_to_end(outside)
    assert outside.reached == TO
    assert [(line["log_level"], line["message_id"]) for line in lines] == [("error", str(returned.message.id))]


def test_attempts_without_a_confirm_come_at_growing_distances_and_the_connection_is_closed(
    outside: CatchUpStandIns,
) -> None:
    outside.window(FROM, TO, row(1), row(2))
    gone = BrokerUnavailable("gone")
    outside.outcomes = [gone, gone, gone, Outcome(1, ()), gone, gone]
    outside.make(rounds=5)
    run_to_end(outside)
    assert outside.thread._end.waits == [1.0, 2.0, 4.0, 1.0, 1.0]  # type: ignore[attr-defined]
    assert outside.connections == outside.closed == 5
    assert outside.thread._in_flight.count == 0


def test_an_error_of_the_program_is_told_and_the_queue_is_tried_again_ever_later(outside: CatchUpStandIns) -> None:
    outside.window(FROM, TO, row(1))
    outside.outcomes = [KeyError("a fault"), KeyError("a fault")]
    outside.make(rounds=3)
    with capture_logs() as lines:
        run_to_end(outside)
    assert [line["log_level"] for line in lines] == ["error", "error"]
    assert outside.thread._end.waits[:2] == [1.0, 2.0]  # type: ignore[attr-defined]
    assert outside.reached == TO


@pytest.mark.parametrize(("error", "reason"), [(BrokerUnavailable("gone"), "gone"), (OSError(), "OSError()")])
def test_an_interruption_is_told_with_its_reason(outside: CatchUpStandIns, error: Exception, reason: str) -> None:
    outside.window(FROM, TO, row(1))
    outside.outcomes = [error]
    outside.make()
    with capture_logs() as lines:
        run_to_end(outside)
    assert [(line["log_level"], line["reason"]) for line in lines] == [("info", reason)]


def test_the_end_of_a_thread_is_no_interruption(outside: CatchUpStandIns) -> None:
    outside.window(FROM, TO, row(1))
    outside.make(retried={1})
    with capture_logs() as lines:
        run_to_end(outside)
    assert lines == []
