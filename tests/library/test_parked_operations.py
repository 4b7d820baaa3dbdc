"""What a person may do to parked messages, and what stays true whatever they do."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import Connection
from psycopg.errors import InsufficientPrivilege

from ordersaga.consumer.receiver import Receiver, entry, still_parked
from ordersaga.inbox.delivery import Delivery, Received, read
from ordersaga.parked import attempts, inspection, listing, operations, table
from ordersaga.parked import dry_run as dry_runs
from ordersaga.parked.listing import ParkedFilter
from ordersaga.parked.operator import ActionRefused, UnknownMessage
from ordersaga.parked.retries import Attempt, Retries
from ordersaga.runtime.errors import Failure, describe
from tests.support.counting import GROUP, Counted
from tests.support.parking import ALICE, actions, delivery, fail, handler, parked_as, receive
from tests.support.wait import until
from tests.support.workers import Counting, counted


def test_a_dead_message_that_is_retried_heals_and_its_followers_come_after_it(
    counting: Counting, connection: Connection[Any]
) -> None:
    counter = uuid4()
    dead, *_ = fail(counting, connection, counter, 5)
    assert operations.retry(connection, dead.id, ALICE) == "retrying"
    assert counting.parked("state, attempts")[:2] == [("retrying", 0), ("waiting", 0)]
    counting.start()
    until(lambda: not counting.parked())
    assert counting.numbers(counter) == [1, 2, 3, 4, 5]
    assert actions(counting.database) == [("retry", dead.id, *ALICE, "dead")]


def test_a_message_behind_others_that_is_retried_does_not_overtake_them(
    counting: Counting, connection: Connection[Any]
) -> None:
    counter = uuid4()
    first, second, _ = fail(counting, connection, counter)
    broken = counted(counter, 4)
    receive(connection, broken, body=b"{}")
    broken_id = parked_as(connection, broken)
    assert counting.parked("state") == [("dead",), ("waiting",), ("waiting",), ("dead",)]
    assert operations.retry(connection, second.id, ALICE) == "waiting"
    assert operations.retry(connection, broken_id, ALICE) == "waiting"
    assert attempts.claim(connection, alone=True) is None
    operations.edit(connection, broken_id, broken.body.encode(), handler.contracts, ALICE)
    operations.retry(connection, first.id, ALICE)
    counting.start()
    until(lambda: not counting.parked())
    assert counting.numbers(counter) == [1, 2, 3, 4]


def failing(lines_before: int, function: str = "Till.count") -> Failure:
    """The failure that this function raises in a file with so many lines before it."""
    where, name = function.split(".")
    source = f"class {where}:\n def {name}(self): raise ValueError('no')\n"
    namespace: dict[str, Any] = {}
    exec(compile("\n" * lines_before + source, "/app/till/reactions.py", "exec"), namespace)  # noqa: S102 - two deploys
    try:
        getattr(namespace[where](), name)()
    except ValueError as error:
        return describe(error)
    raise AssertionError


def park(connection: Connection[Any], failure: Failure, contract: str = Counted.NAME) -> None:
    message = replace(counted(uuid4(), 1), contract=contract)
    table.append(
        connection, [table.NewlyParked(message.id, message.key, contract, delivery(message), "dead", failure, 8)]
    )


def test_a_failure_is_one_group_whatever_line_raises_it(connection: Connection[Any]) -> None:
    before, after = failing(0), failing(2)
    assert (before.place, after.place) == ("till/reactions.py:2 Till.count", "till/reactions.py:4 Till.count")
    park(connection, before)
    park(connection, after)
    [moved] = inspection.failure_groups(connection)
    assert (moved.contract, moved.error, moved.place, moved.messages) == (Counted.NAME, "ValueError", after.place, 2)
    assert len(failed(connection, moved.failure)) == 2
    park(connection, failing(0, "Safe.count"))
    park(connection, before._replace(error="KeyError"))
    park(connection, before, "other.counted.v1")
    assert [group.messages for group in inspection.failure_groups(connection)] == [2, 1, 1, 1]


def test_a_failure_group_is_retried_together_and_others_are_left_alone(
    counting: Counting, connection: Connection[Any]
) -> None:
    counters = [uuid4() for _ in range(3)]
    for counter in counters:
        fail(counting, connection, counter)
    broken = counted(uuid4(), 1)
    receive(connection, broken, body=b"not json")
    broken_id = parked_as(connection, broken)
    failures, unreadable = inspection.failure_groups(connection)
    assert (failures.error, failures.messages, failures.dead, failures.keys, failures.followers) == (
        ("ValueError", 3, 3, 3, 6)
    )
    assert failures.place.endswith(" Switches.obey")
    assert (unreadable.error, unreadable.messages, unreadable.first) == ("UnreadableMessage", 1, broken_id)
    for message_id in failed(connection, failures.failure):
        operations.retry(connection, message_id, ALICE)
    counting.start()
    until(lambda: len(counting.parked()) == 1)
    assert [counting.numbers(counter) for counter in counters] == [[1, 2, 3]] * 3
    assert counting.parked("message_id, state") == [(broken_id, "dead")]
    assert len(actions(counting.database)) == 3


def test_a_skipped_message_never_takes_effect_and_its_followers_go_on_in_order(
    counting: Counting, connection: Connection[Any]
) -> None:
    counter = uuid4()
    dead, *_ = fail(counting, connection, counter, 5)
    operations.skip(connection, dead.id, ALICE)
    assert counting.parked("state") == [("retrying",), ("waiting",), ("waiting",), ("waiting",)]
    counting.start()
    until(lambda: not counting.parked())
    receive(connection, dead)
    assert counting.numbers(counter) == [2, 3, 4, 5]
    assert counting.parked() == []
    assert counting.database.rows("select contract, source from inbox where message_id = %s", [dead.id]) == [
        (Counted.NAME, "test")
    ]
    assert actions(counting.database, "action, message_id, actor, reason, body") == [
        ("skip", dead.id, *ALICE, dead.body.encode())
    ]


def test_skipping_amid_the_queue_leaves_the_others_waiting_in_order(
    counting: Counting, connection: Connection[Any]
) -> None:
    counter = uuid4()
    first, second, _ = fail(counting, connection, counter)
    operations.skip(connection, second.id, ALICE)
    assert counting.parked("state") == [("dead",), ("waiting",)]
    operations.retry(connection, first.id, ALICE)
    counting.start()
    until(lambda: not counting.parked())
    assert counting.numbers(counter) == [1, 3]


def test_order_per_key_survives_an_operator_who_retries_and_skips_while_two_workers_run(
    counting: Counting, connection: Connection[Any]
) -> None:
    """Every counter fails at its second message; half of these are skipped, the others healed, all under load."""
    counting.environment = {"COUNTING_ATTEMPTS": "3", "COUNTING_BASE": "0.01"}
    healed, skipped = [uuid4() for _ in range(5)], [uuid4() for _ in range(5)]
    for counter in (*healed, *skipped):
        counting.switches.set(counter, "fail:2")
    for _ in range(2):
        counting.start()
    for number in range(1, 41):
        counting.publish(counted(counter, number) for counter in (*healed, *skipped))
        retry_all(connection)
        if number == 20:
            for counter in skipped:
                until(partial(inspection.refusals, connection, counted(counter, 2).id))
                operations.skip(connection, counted(counter, 2).id, ALICE)
            for counter in healed:
                counting.switches.clear(counter)
    until(lambda: not retry_all(connection) and counting.in_inbox() == 400, seconds=60)
    assert [counting.numbers(counter) for counter in healed] == [list(range(1, 41))] * 5
    assert [counting.numbers(counter) for counter in skipped] == [[1, *range(3, 41)]] * 5


def failed(connection: Connection[Any], failure: str | None = None) -> list[UUID]:
    return [row["message_id"] for row in listing.messages(connection, ParkedFilter(failure=failure, failed=True))]


def retry_all(connection: Connection[Any]) -> list[UUID]:
    """What was still parked."""
    found = failed(connection)
    for message_id in found:
        with suppress(UnknownMessage):
            operations.retry(connection, message_id, ALICE)
    return found


def test_a_message_that_is_being_parked_behind_one_that_is_skipped_is_not_forgotten(
    counting: Counting, connection: Connection[Any]
) -> None:
    """The skip waits for it; otherwise it would see nobody to release."""
    counter = uuid4()
    [dead] = fail(counting, connection, counter, 1)
    late = read(delivery(counted(counter, 2)), handler.contracts)
    with counting.database.connect() as other, ThreadPoolExecutor(1) as threads:
        with other.transaction():
            assert still_parked(other, [str(counter)])
            table.append(other, [entry(late, "waiting")])
            skipping = threads.submit(operations.skip, connection, dead.id, ALICE)
            until(lambda: counting.database.rows(WAITING_FOR_A_LOCK, [connection.info.backend_pid]))
        skipping.result(timeout=20)
    assert counting.parked("message_id, state") == [(late.id, "retrying")]


WAITING_FOR_A_LOCK = "select from pg_stat_activity where pid = %s and wait_event = 'advisory'"


def test_what_cannot_even_be_read_can_be_skipped_and_stays_away(
    counting: Counting, connection: Connection[Any]
) -> None:
    unreadable = read(Delivery(1, "x", {"ce-eventhash": 5}, b"what is this"), handler.contracts)
    for _ in range(2):
        Receiver(GROUP, handler).receive(connection, [unreadable])
    operations.skip(connection, unreadable.id, ALICE)
    Receiver(GROUP, handler).receive(connection, [unreadable])
    assert counting.parked() == []


def test_a_fork_that_was_skipped_stays_away_and_its_key_goes_on(
    counting: Counting, connection: Connection[Any]
) -> None:
    counter = uuid4()
    fork = replace(counted(counter, 1), event_hash=bytes(range(32)))
    receive(connection, counted(counter, 1), fork, counted(counter, 2))
    [(quarantined,)] = counting.parked("message_id")[:1]
    run = dry_runs.dry_run(connection, quarantined, handler)
    assert run.failure is not None
    assert (run.failure.error, run.received_before) == ("ForkedHistory", False)
    operations.skip(connection, quarantined, ALICE)
    counting.start()
    until(lambda: not counting.parked())
    receive(connection, fork)
    assert counting.parked() == []
    assert counting.numbers(counter) == [1, 2]


def test_an_edit_keeps_the_original_and_the_message_takes_effect_as_edited(
    counting: Counting, connection: Connection[Any]
) -> None:
    counter = uuid4()
    message = counted(counter, 1)
    receive(connection, message, body=b'{"nonsense": 1}')
    broken_id = parked_as(connection, message)
    receive(connection, counted(counter, 2))
    for number in (6, 7):
        body = counted(counter, number).body.encode()
        assert operations.edit(connection, broken_id, body, handler.contracts, ALICE) == "retrying"
    assert counting.parked("body, original_body, edits")[0] == (body, b'{"nonsense": 1}', 2)
    assert inspection.show(connection, broken_id)["original_body"] == b'{"nonsense": 1}'
    counting.start()
    until(lambda: not counting.parked())
    assert counting.numbers(counter) == [7, 2]
    assert actions(counting.database, "action, actor, reason, body, new_body") == [
        ("edit", *ALICE, b'{"nonsense": 1}', counted(counter, 6).body.encode()),
        ("edit", *ALICE, counted(counter, 6).body.encode(), body),
    ]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"not json", "the body is not a test.counted.v1"),
        (b"\xff", "header or body is malformed"),
        (counted(UUID(int=7), 1).body.encode(), f"its counter_id is {UUID(int=7)}, but the message is of the key"),
    ],
)
def test_an_edit_that_leaves_a_broken_message_or_another_key_is_refused(
    counting: Counting, connection: Connection[Any], body: bytes, reason: str
) -> None:
    dead, *_ = fail(counting, connection, uuid4())
    before = counting.parked("body, state, attempts, edits")
    with pytest.raises(ActionRefused, match=reason):
        operations.edit(connection, dead.id, body, handler.contracts, ALICE)
    assert counting.parked("body, state, attempts, edits") == before
    assert actions(counting.database) == []


def test_an_attempt_that_began_before_an_edit_cannot_bring_the_old_body_into_effect(
    counting: Counting, connection: Connection[Any]
) -> None:
    counter = uuid4()
    dead, *_ = fail(counting, connection, counter, 1)
    operations.retry(connection, dead.id, ALICE)
    begun = attempts.claim(connection, alone=True)
    assert begun is not None
    operations.edit(connection, dead.id, counted(counter, 5).body.encode(), handler.contracts, ALICE)
    again = attempts.claim(connection, alone=True)
    assert again is not None
    for row in (begun, again):
        message = read(row.delivery, handler.contracts)
        assert isinstance(message, Received)
        Retries(handler, None).react(connection, [Attempt(row, message)])  # type: ignore[arg-type]
    assert counting.numbers(counter) == [5]
    assert counting.parked() == []


def test_a_message_that_was_skipped_amid_its_attempt_has_no_effect(
    counting: Counting, connection: Connection[Any]
) -> None:
    counter = uuid4()
    dead, *_ = fail(counting, connection, counter, 1)
    operations.retry(connection, dead.id, ALICE)
    begun = attempts.claim(connection, alone=True)
    assert begun is not None
    operations.skip(connection, dead.id, ALICE)
    message = read(begun.delivery, handler.contracts)
    assert isinstance(message, Received)
    Retries(handler, None).react(connection, [Attempt(begun, message)])  # type: ignore[arg-type]
    assert counting.numbers(counter) == []


def test_an_action_on_a_message_that_is_not_parked_says_so(counting: Counting, connection: Connection[Any]) -> None:
    nobody = uuid4()
    for action in (
        lambda: operations.retry(connection, nobody, ALICE),
        lambda: operations.skip(connection, nobody, ALICE),
        lambda: operations.edit(connection, nobody, b"{}", handler.contracts, ALICE),
        lambda: dry_runs.dry_run(connection, nobody, handler),
        lambda: inspection.show(connection, nobody),
    ):
        with pytest.raises(UnknownMessage, match=f"message {nobody} is not parked here"):
            action()
    assert actions(counting.database) == []


@pytest.mark.parametrize("change", ["update parked_actions set actor = 'bob'", "delete from parked_actions"])
def test_nobody_changes_what_was_recorded_of_an_action(
    counting: Counting, connection: Connection[Any], change: str
) -> None:
    dead, *_ = fail(counting, connection, uuid4())
    operations.retry(connection, dead.id, ALICE)
    for url, reason in ((counting.database.url, "permission denied"), (counting.database.owner_url, "append-only")):
        with psycopg.connect(url) as other, pytest.raises(InsufficientPrivilege, match=reason):
            other.execute(change.encode())
    assert actions(counting.database) == [("retry", dead.id, *ALICE, "dead")]
