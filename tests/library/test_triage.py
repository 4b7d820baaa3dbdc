"""What triage promises: on hold is not tried, a run retries a few first, an action comes before the next attempt."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg import Connection
from psycopg.errors import InsufficientPrivilege

from ordersaga.parked import (
    attempts,
    failure_notes,
    group_pause,
    inspection,
    operations,
    operator_actions,
    retry_runner,
    retry_runs,
    selection,
    table,
)
from ordersaga.parked.listing import ParkedFilter
from ordersaga.parked.operator import ActionRefused
from ordersaga.parked.retries import Retries
from ordersaga.parked.retry_runner import RetryRunner
from ordersaga.parked.retry_runs import RetryRun
from ordersaga.relay.undeliverable import Undeliverable
from tests.library.test_parked_by_broker import of_key, refuse
from tests.support.counting import Counted
from tests.support.parked_api import Call, calling_parked
from tests.support.parking import ALICE, NoSteps, actions, fail, handler, numbers, receive
from tests.support.wait import until
from tests.support.workers import Counting, counted


@pytest.fixture
def call(counting: Counting, monkeypatch: pytest.MonkeyPatch) -> Iterator[Call]:
    yield from calling_parked(counting, monkeypatch)


def retries() -> Retries:
    return Retries(handler, NoSteps())  # type: ignore[arg-type]


def try_all(connection: Connection[Any]) -> None:
    """Make every attempt that is due."""
    worker = retries()
    while worker.step(connection) == 0:
        pass


def claim(connection: Connection[Any]) -> UUID | None:
    row = attempts.claim(connection, alone=True, contracts=[Counted.NAME])
    return row and row.message_id


def failure_of(connection: Connection[Any]) -> str:
    [group] = inspection.failure_groups(connection)
    return group.failure


def test_a_failure_on_hold_is_not_tried_nor_is_what_falls_into_it_until_it_is_released(
    counting: Counting, connection: Connection[Any]
) -> None:
    early, late, single = uuid4(), uuid4(), uuid4()
    for counter in (early, single):
        counting.switches.set(counter, "fail")
        receive(connection, counted(counter, 1))
    failure_notes.hold(connection, failure_of(connection), ALICE)
    counting.switches.set(late, "fail")
    receive(connection, counted(late, 1), counted(late, 2))
    connection.execute("update parked_messages set next_attempt_at = now() where next_attempt_at is not null")
    assert claim(connection) is None
    assert attempts.seconds_until_due(connection, [Counted.NAME]) is None
    for counter in (early, late, single):
        counting.switches.clear(counter)
    assert operations.retry(connection, counted(single, 1).id, ALICE) == "retrying"
    try_all(connection)
    assert [numbers(connection, counter) for counter in (early, late, single)] == [[], [], [1]]
    failure_notes.release(connection, failure_of(connection), ALICE)
    try_all(connection)
    assert [numbers(connection, counter) for counter in (early, late)] == [[1], [1, 2]]


def test_a_message_that_fails_while_its_failure_is_put_on_hold_or_released_is_found(
    counting: Counting, connection: Connection[Any]
) -> None:
    counting.switches.set(counter := uuid4(), "fail")
    receive(connection, counted(counter, 1))
    failure_notes.hold(connection, failure := failure_of(connection), ALICE)
    connection.execute("update parked_messages set next_attempt_at = now()")
    failure_notes.settle(connection)
    assert counting.parked("next_attempt_at") == [(None,)]
    failure_notes.release(connection, failure, ALICE)
    connection.execute("update parked_messages set next_attempt_at = null")
    failure_notes.settle(connection)
    assert claim(connection) == counted(counter, 1).id


def test_what_the_broker_refused_is_held_with_its_failure_or_alone(
    counting: Counting, connection: Connection[Any]
) -> None:
    first, second = of_key(uuid4())
    refuse(counting.database, first, second)
    with counting.database.connect_as_relay() as relay:
        relay.execute("update undeliverable set next_attempt_at = now() where kind <> 'waits'")

        def due() -> bool:
            return bool(Undeliverable("counting", relay)._due)

        assert due()
        failure_notes.hold(connection, failure := failure_of(connection), ALICE)
        assert not due()
        operations.retry(connection, first.id, ALICE)
        assert due()
        failure_notes.release(connection, failure, ALICE)
        operations.hold(connection, first.id, ALICE)
        assert not due()
        operations.release(connection, first.id, ALICE)
        assert due()


def start(connection: Connection[Any], **limits: Any) -> RetryRun:
    return retry_runs.start(connection, ParkedFilter(failure_of(connection), failed=True), ALICE, **limits)


def fast_forward(connection: Connection[Any], run: RetryRun, until_ended: bool = True) -> RetryRun:
    """Let workers retry, each step of the run by another of them, as after a restart."""
    while (now := retry_runs.find(connection, run.run)).state == "running":
        connection.execute("update retry_runs set next_at = now()")
        RetryRunner().step(connection)
        try_all(connection)
        if not until_ended:
            return retry_runs.find(connection, run.run)
    return now


def test_a_run_retries_a_few_first_and_the_others_once_these_have_succeeded(
    counting: Counting, connection: Connection[Any]
) -> None:
    counters = [uuid4() for _ in range(7)]
    for counter in counters:
        fail(counting, connection, counter, 2)
    counting.switches.set(counters[5], "fail")
    run = start(connection, first=2, rate=2)
    assert (run.state, run.total, run.remaining) == ("running", 7, 7)
    RetryRunner().step(connection)
    first = retry_runs.find(connection, run.run)
    assert (first.retried, first.under_way, first.succeeded, first.remaining) == (2, 2, 0, 5)
    RetryRunner().step(connection)
    assert retry_runs.find(connection, run.run).retried == 2, "their outcome is awaited"
    done = fast_forward(connection, run)
    assert (done.state, done.retried, done.succeeded, done.failed, done.remaining) == ("done", 7, 6, 1, 0)
    assert [numbers(connection, counter) for counter in counters] == [[1, 2]] * 5 + [[], [1, 2]]
    assert set(actions(counting.database, "action, actor, reason")) == {("retry", *ALICE)}


def test_a_run_stops_by_itself_when_too_many_of_the_first_fail_again(
    counting: Counting, connection: Connection[Any]
) -> None:
    for number in range(6):
        fail(counting, connection, counter := uuid4(), 1)
        if number in (0, 2):
            counting.switches.set(counter, "fail")
    stopped = fast_forward(connection, start(connection, first=3, max_failed=0.5))
    assert (stopped.state, stopped.retried, stopped.succeeded, stopped.failed) == ("stopped", 3, 1, 2)
    assert (stopped.remaining, stopped.ended_by) == (3, None)
    assert stopped.end_reason == "2 of the first 3 failed again: more than 50%"
    enough = fast_forward(connection, start(connection, first=3, max_failed=0.7))
    assert (enough.state, enough.succeeded, enough.failed) == ("done", 3, 2)


def test_a_failure_that_is_put_on_hold_stops_its_run_and_one_that_is_started_afterwards_retries(
    counting: Counting, connection: Connection[Any]
) -> None:
    counters = [uuid4() for _ in range(4)]
    for counter in counters:
        fail(counting, connection, counter, 1)
    run = start(connection, first=2)
    RetryRunner().step(connection)
    failure_notes.hold(connection, failure := failure_of(connection), ALICE)
    stopped = retry_runs.find(connection, run.run)
    assert (stopped.state, stopped.retried, stopped.ended_by) == ("stopped", 2, ALICE.actor)
    assert stopped.end_reason == f"put on hold: {ALICE.reason}"
    assert claim(connection) is None, "what the run had made due is on hold too"
    failure_notes.hold(connection, failure, ALICE)
    assert fast_forward(connection, start(connection)).succeeded == 4
    assert [numbers(connection, counter) for counter in counters] == [[1]] * 4


def test_a_run_leaves_out_a_message_that_a_person_holds_by_itself_before_or_after_its_start(
    counting: Counting, connection: Connection[Any]
) -> None:
    counters = [uuid4() for _ in range(3)]
    early, late, _ = (fail(counting, connection, counter, 1)[0] for counter in counters)
    operations.hold(connection, early.id, ALICE)
    run = start(connection)
    assert run.total == 2
    operations.hold(connection, late.id, ALICE)
    done = fast_forward(connection, run)
    assert (done.state, done.retried, done.succeeded) == ("done", 1, 1)
    assert [numbers(connection, counter) for counter in counters] == [[], [], [1]]
    with pytest.raises(ActionRefused, match="nobody holds"):
        start(connection)


def test_a_run_that_cannot_go_on_stops_with_its_reason_and_keeps_no_other_from_its_turn(
    counting: Counting, connection: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_failure = failure_after(connection, lambda: fail(counting, connection, uuid4(), 1))
    other_failure = failure_after(connection, lambda: refuse_at(counting, 1))
    broken, other = (
        retry_runs.start(connection, ParkedFilter(failure, failed=True), ALICE)
        for failure in (broken_failure, other_failure)
    )
    following = retry_runner.following

    def fail_for_one(connection: Connection[Any], run: RetryRun, limit: int) -> Iterator[retry_runner.Found]:
        if run.run == broken.run:
            raise ValueError("unforeseen")
        return following(connection, run, limit)

    monkeypatch.setattr(retry_runner, "following", fail_for_one)
    RetryRunner().step(connection)
    stopped = retry_runs.find(connection, broken.run)
    assert (stopped.state, stopped.end_reason) == ("stopped", "it cannot go on: unforeseen")
    assert retry_runs.find(connection, other.run).retried == 1


def failure_after(connection: Connection[Any], cause: Callable[[], object]) -> str:
    """The failure group that comes of the cause."""
    before = {group.failure for group in inspection.failure_groups(connection)}
    cause()
    [new] = {group.failure for group in inspection.failure_groups(connection)} - before
    return new


@pytest.mark.parametrize("rate", [1e-30, float("nan")])
def test_a_run_whose_rate_cannot_be_kept_is_refused_and_holds_no_other_up(
    counting: Counting, connection: Connection[Any], rate: float
) -> None:
    fail(counting, connection, uuid4(), 1)
    with pytest.raises(ActionRefused, match=r"0\.01 to 1000 messages a second"):
        start(connection, rate=rate)
    assert fast_forward(connection, start(connection, rate=0.01)).succeeded == 1


def test_a_run_retries_what_the_broker_refused_waits_while_the_group_is_paused_and_stops_when_told(
    counting: Counting, connection: Connection[Any]
) -> None:
    for position in range(3):
        refuse_at(counting, position + 1)
    run = start(connection, first=1, rate=1)
    group_pause.pause(connection, ALICE)
    RetryRunner().step(connection)
    paused = retry_runs.find(connection, run.run)
    assert (paused.state, paused.retried) == ("paused", 0)
    group_pause.resume(connection, ALICE)
    RetryRunner().step(connection)
    with counting.database.connect_as_relay() as relay:
        due = "delete from undeliverable where attempts = 0 and next_attempt_at <= now() returning position"
        assert relay.execute(due).fetchall() == [(1,)]
    assert fast_forward(connection, run, until_ended=False).retried == 2
    assert retry_runs.stop(connection, run.run, ALICE).state == "stopped"
    RetryRunner().step(connection)
    with counting.database.connect_as_relay() as relay:
        relay.execute("delete from undeliverable where attempts = 0")
    RetryRunner().step(connection)
    ended = retry_runs.find(connection, run.run)
    assert (ended.state, ended.retried, ended.succeeded, ended.under_way, ended.remaining) == ("stopped", 2, 2, 0, 1)


def refuse_at(counting: Counting, position: int) -> None:
    [message] = of_key(uuid4(), 1)
    with counting.database.connect_as_relay() as relay:
        relay.execute("update undeliverable set position = position + 1")
    refuse(counting.database, message)


def test_a_group_is_skipped_up_to_a_message_whose_key_is_locked_and_the_answer_says_what_is_left(
    counting: Counting, connection: Connection[Any]
) -> None:
    counters = [uuid4() for _ in range(3)]
    for counter in counters:
        fail(counting, connection, counter, 1)
    failure = failure_of(connection)
    with counting.database.connect() as other, other.transaction():
        table.lock(other, [str(counters[1])])
        assert selection.skip_group(connection, failure, 3, ALICE) == selection.GroupSkip(1, 0, 2)
    [recorded] = operator_actions.of_failure(connection, failure)
    assert (recorded["action"], recorded["details"]) == ("skip group", {"skipped": 1, "seen": 3})
    assert selection.skip_group(connection, failure, 2, ALICE) == selection.GroupSkip(2, 0, 0)


@contextmanager
def attempt_under_way(counting: Counting, connection: Connection[Any], fault: str) -> Iterator[tuple[UUID, UUID]]:
    """A worker's attempt at a parked message, which goes on until its switch is cleared. Yields counter and message."""
    [dead] = fail(counting, connection, counter := uuid4(), 1)
    counting.switches.set(counter, fault)
    operations.retry(connection, dead.id, ALICE)
    with counting.database.connect() as of_worker:
        trying = threading.Thread(target=retries().step, args=(of_worker,))
        trying.start()
        until(lambda: counting.switches.is_obeyed(counter))
        yield counter, dead.id
        trying.join(20)
    assert not trying.is_alive()


WAITS = "select from pg_stat_activity where wait_event_type = 'Lock' and query like '%wanted_until%'"


@pytest.mark.parametrize("fault", ["slow", "late"])
def test_an_action_waits_for_the_attempt_under_way_and_comes_before_the_next(
    counting: Counting, connection: Connection[Any], call: Call, fault: str
) -> None:
    with attempt_under_way(counting, connection, fault) as (counter, message):
        seen = call("GET", f"/{message}")["version"]
        answers: list[Any] = []
        body = {"reason": "a duplicate", "seen": seen}
        status = 404 if fault == "slow" else 200

        def act() -> None:
            answers.append(call("POST", f"/{message}/skip", json=body, status=status))

        acting = threading.Thread(target=act)
        acting.start()
        until(lambda: connection.execute(WAITS).fetchall())
        counting.switches.clear(counter)
        acting.join(20)
    if fault == "slow":
        assert answers[0]["type"] == "urn:problem:took-effect"
        assert numbers(connection, counter) == [1]
    else:
        assert answers[0]["state"] == "skipped"
        assert numbers(connection, counter) == []
    assert inspection.refusals(connection, message) == []


def test_no_attempt_begins_while_an_action_is_about_to_be_taken(
    counting: Counting, connection: Connection[Any], call: Call
) -> None:
    [dead] = fail(counting, connection, uuid4(), 1)
    operations.retry(connection, dead.id, ALICE)
    connection.execute("update parked_messages set wanted_until = now() + interval '1 minute'")
    assert claim(connection) is None
    changed = {"reason": "an old page", "seen": "dead.8.0"}
    call("POST", f"/{dead.id}/skip", json=changed, status=409)
    assert claim(connection) == dead.id


@pytest.mark.parametrize("statement", ["update operator_actions set actor = 'bob'", "delete from operator_actions"])
def test_nobody_changes_what_was_recorded_about_failures_runs_and_pauses(
    counting: Counting, connection: Connection[Any], statement: str
) -> None:
    group_pause.pause(connection, ALICE)
    with pytest.raises(InsufficientPrivilege):
        connection.execute(statement.encode())
    with pytest.raises(InsufficientPrivilege, match="append-only"):
        counting.database.rows(statement + " returning 1")
