"""What a reaction asks of its database on a quiet queue, and that what it read before still holds when it commits."""

import re
from collections.abc import Callable, Iterable, Iterator
from threading import Barrier, Event
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import Connection

from ordersaga.consumer.receiver import Receiver
from ordersaga.envelope.message import Cause
from ordersaga.inbox import look
from ordersaga.inbox.delivery import Received
from ordersaga.inbox.outside import OutsideSteps
from ordersaga.inbox.reactions import Reactions
from ordersaga.inbox.reactor import Reactor
from ordersaga.runtime.errors import Conflict, Failure
from ordersaga.runtime.sessions import WORKER, connect
from ordersaga.store import aggregates
from ordersaga.store.transaction import Transaction, decide
from tests.support import workers
from tests.support.counting import GROUP, Counted, Counter, announcements, keep, the_counter
from tests.support.databases import Database, Databases
from tests.support.parking import delivery, numbers
from tests.support.wire import Traffic, counted

React = Callable[[Counted, Transaction], None]
TOGETHER = UUID(int=1)
"""A counter that messages of all keys share."""


@pytest.fixture
def database(databases: Databases) -> Database:
    return databases()


@pytest.fixture
def wire(database: Database) -> Iterator[tuple[Connection[Any], Traffic]]:
    """The session of a worker, and what passes over it."""
    with counted(database.url) as (url, traffic), connect(url, "worker", WORKER) as connection:
        yield connection, traffic


def receiver_of(react: React, **options: Any) -> Receiver:
    reactions = Reactions()
    reactions.to(Counted, loads=the_counter, **options)(react)
    return Receiver(GROUP, Reactor(reactions, announcements))


def receive(receiver: Receiver, connection: Connection[Any], *messages: tuple[UUID, int]) -> None:
    """One batch of messages: counter and number."""
    deliveries = [delivery(workers.counted(counter, number)) for counter, number in messages]
    receiver.receive(connection, receiver.read(deliveries))


def trips(wire: tuple[Connection[Any], Traffic], receiver: Receiver, counter: UUID) -> tuple[int, int]:
    """Round trips and statements of a message, once the session has prepared its statements and knows the counter."""
    connection, traffic = wire
    for number in range(1, 8):
        receive(receiver, connection, (counter, number))
    before = traffic.round_trips, traffic.statements
    receive(receiver, connection, (counter, 8))
    return traffic.round_trips - before[0], traffic.statements - before[1]


def keep_together(message: Counted, transaction: Transaction) -> None:
    """Count at the own counter and at the one that all share."""
    keep(message, transaction)
    keep(Counted(counter_id=TOGETHER, number=message.number), transaction)


def keep_with_sql(message: Counted, transaction: Transaction) -> None:
    transaction.connection.execute("select 1")
    keep(message, transaction)


def shared(_: Counted, __: Transaction) -> list[UUID]:
    return [TOGETHER]


def shared_as_recorded(message: Counted, transaction: Transaction) -> list[UUID]:
    """As where an order names its products: known once the order is loaded."""
    return [TOGETHER] if transaction.find(Counter, message.counter_id) else []


def test_a_reaction_reads_once_and_its_flush_is_its_transaction(wire: tuple[Connection[Any], Traffic]) -> None:
    assert trips(wire, receiver_of(keep), uuid4()) == (2, 2)


@pytest.mark.parametrize(("locks", "expected"), [(shared, 2), (shared_as_recorded, 2)], ids=["told", "recorded"])
def test_what_messages_share_is_read_with_all_else(
    wire: tuple[Connection[Any], Traffic], locks: Any, expected: int
) -> None:
    assert trips(wire, receiver_of(keep_together, locks=locks), uuid4()) == (expected, expected)


def test_a_worker_that_does_not_know_the_aggregate_reads_twice(wire: tuple[Connection[Any], Traffic]) -> None:
    connection, traffic = wire
    counter, receiver = uuid4(), receiver_of(keep_together, locks=shared_as_recorded)
    for number in range(1, 8):
        receive(receiver, connection, (counter, number))
    other = receiver_of(keep_together, locks=shared_as_recorded)
    before = traffic.round_trips
    receive(other, connection, (counter, 8))
    assert traffic.round_trips - before == 3


def test_a_reaction_with_sql_of_its_own_has_a_transaction_around_it(wire: tuple[Connection[Any], Traffic]) -> None:
    assert trips(wire, receiver_of(keep_with_sql), uuid4()) == (5, 5)


def test_a_cached_aggregate_is_read_as_one_row_however_long_its_stream(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[int] = []
    continued = aggregates.continued

    def counting_rows(connection: Connection[Any], found: Iterable[Any], known: Any) -> Any:
        found = list(found)
        rows.append(len(found))
        return continued(connection, found, known)

    counter, receiver = uuid4(), receiver_of(keep)
    with database.connect() as connection:
        receive(receiver, connection, *((counter, number) for number in range(1, 151)))
        monkeypatch.setattr(aggregates, "continued", counting_rows)
        receive(receiver, connection, (counter, 151))
        assert rows == [1]
        assert numbers(connection, counter) == list(range(1, 152))
        assert rows[1] > 50, "the newest snapshot is of version 100, so a load without a cache reads the events since"


def test_a_cached_aggregate_has_what_others_have_recorded_since(database: Database) -> None:
    counter, ours, others = uuid4(), receiver_of(keep), receiver_of(keep)
    with database.connect() as connection:
        for number in range(1, 7, 2):
            receive(ours, connection, (counter, number))
            receive(others, connection, (counter, number + 1))
        assert numbers(connection, counter) == [1, 2, 3, 4, 5, 6]


FORGET = "alter table stored_events disable trigger all; delete from stored_events where originator_id = '{}'"


def test_after_the_restore_of_a_backup_a_cached_aggregate_is_loaded_again(database: Database) -> None:
    counter, after = uuid4(), receiver_of(keep)
    seen: list[list[int]] = []

    def keep_and_tell(message: Counted, transaction: Transaction) -> None:
        keep(message, transaction)
        seen.append(list(transaction.get(Counter, counter).numbers))

    receiver = receiver_of(keep_and_tell)
    with database.connect() as connection, psycopg.connect(database.owner_url, autocommit=True) as owner:
        receive(receiver, connection, (counter, 1), (counter, 2))
        owner.execute(FORGET.format(counter))
        receive(receiver, connection, (counter, 3))
        assert seen[-1] == [3]
        owner.execute(FORGET.format(counter))
        receive(after, connection, (counter, 4))
        receive(receiver, connection, (counter, 5))
        assert seen[-1] == [4, 5]


def test_what_a_failed_reaction_did_to_an_aggregate_is_not_in_the_cache(database: Database) -> None:
    counter, fails = uuid4(), [False]

    def keep_or_fail(message: Counted, transaction: Transaction) -> None:
        if fails[0]:
            transaction.get(Counter, message.counter_id).keep(99)
            raise ValueError("not now")
        keep(message, transaction)

    def forget_to_save(message: Counted, transaction: Transaction) -> None:
        transaction.get(Counter, message.counter_id).keep(99)

    receiver = receiver_of(keep_or_fail)
    careless = receiver_of(forget_to_save)
    careless.cache = receiver.cache
    with database.connect() as connection:
        receive(receiver, connection, (counter, 1))
        receive(careless, connection, (counter, 2))
        fails[0] = True
        receive(receiver, connection, (counter, 3))
        connection.execute("delete from parked_messages")
        fails[0] = False
        receive(receiver, connection, (counter, 4))
        assert numbers(connection, counter) == [1, 4]


def test_a_message_whose_key_is_parked_after_it_was_read_waits_behind_it(database: Database) -> None:
    counter = uuid4()

    def park_meanwhile(message: Counted, transaction: Transaction) -> None:
        """As another worker does that got the queue while this one stood still."""
        if message.number == 2 and not database.rows("select from parked_messages"):
            with database.connect() as other:
                Receiver(GROUP, Reactor(Reactions(), announcements)).park(
                    other, earlier_message(counter), "dead", Failure("Boom", "", "", "")
                )
        keep(message, transaction)

    receiver = receiver_of(park_meanwhile)
    with database.connect() as connection:
        receive(receiver, connection, (counter, 1))
        receive(receiver, connection, (counter, 2), (uuid4(), 1))
        assert numbers(connection, counter) == [1]
    states = "select state from parked_messages where key = %s order by position"
    assert database.rows(states, (str(counter),)) == [("dead",), ("waiting",)]
    assert database.rows("select count(*) from inbox") == [(2,)]


def earlier_message(counter: UUID) -> Any:
    [received] = receiver_of(keep).read([delivery(workers.counted(counter, 77))])
    return received


def assert_one_of_two_counts(
    database: Database,
    first: tuple[Receiver, UUID],
    second: tuple[Receiver, UUID],
    rival: list[Callable[[], None]],
) -> None:
    """The first receiver counts in its counter, and the second in its own while the first reacts, by `rival`."""
    (receiver, mine), (other_receiver, theirs) = first, second

    def open_both(transaction: Transaction) -> None:
        transaction.save(Counter(id=mine), Counter(id=theirs))

    with database.connect() as connection, database.connect() as other:
        decide(connection, announcements, Cause(uuid4()), open_both)
        rival.append(lambda: receive(other_receiver, other, (theirs, 1)))
        receive(receiver, connection, (mine, 1))
        assert numbers(connection, mine) + numbers(connection, theirs) == [1]
    assert database.rows("select count(*) from inbox") == [(2,)]


def test_two_who_read_what_the_other_changes_do_not_pass_by_each_other(database: Database) -> None:
    """Each of two counters may count while the other is at zero; the reaction names both, and changes one."""
    mine, theirs = uuid4(), uuid4()
    rival: list[Callable[[], None]] = []

    def count_if_alone(message: Counted, transaction: Transaction) -> None:
        other = theirs if message.counter_id == mine else mine
        found = transaction.get(Counter, other)
        if rival:
            rival.pop()()
        if not found.numbers:
            keep(message, transaction)

    def both(_: Counted, __: Transaction) -> list[UUID]:
        return [mine, theirs]

    first, second = (receiver_of(count_if_alone, locks=both) for _ in range(2))
    assert_one_of_two_counts(database, (first, mine), (second, theirs), rival)


@pytest.mark.parametrize("before", ["loads", "find"])
@pytest.mark.parametrize("locks_first", [False, True], ids=["late", "first"])
def test_two_who_agree_on_an_id_see_what_the_other_changed_in_all_that_they_load(
    database: Database, before: str, locks_first: bool
) -> None:
    """As the test before, but what both name stands for the two counters: each names TOGETHER, and reads and changes
    others."""
    mine, theirs = uuid4(), uuid4()
    rival: list[Callable[[], None]] = []

    def the_other(message: Counted) -> UUID:
        return theirs if message.counter_id == mine else mine

    def count_if_alone(message: Counted, transaction: Transaction) -> None:
        found = transaction.get(Counter, the_other(message))
        if rival:
            rival.pop()()
        if not found.numbers:
            keep(message, transaction)

    def agree_once_the_rival_is_done(_: Counted, __: Transaction) -> list[UUID]:
        if locks_first and rival:
            rival.pop()()
        return [TOGETHER]

    def receiver() -> Receiver:
        reactions = Reactions()
        loads = (lambda message: [the_other(message)]) if before == "loads" else the_counter
        reactions.to(Counted, loads=loads, locks=agree_once_the_rival_is_done)(count_if_alone)
        reactor = Reactor(reactions, announcements)
        if locks_first:
            reactor.locks_first = lambda messages: True  # type: ignore[method-assign]
        return Receiver(GROUP, reactor)

    assert_one_of_two_counts(database, (receiver(), mine), (receiver(), theirs), rival)


def test_after_a_conflict_batches_lock_what_they_share_first(database: Database) -> None:
    seen: list[int] = []
    rival: list[Callable[[], None]] = []

    def watch(message: Counted, transaction: Transaction) -> None:
        seen.append(len(database.rows("select from pg_locks where locktype = 'advisory'")))
        if rival:
            rival.pop()()
        keep_together(message, transaction)

    first, second = (receiver_of(watch, locks=shared) for _ in range(2))
    with database.connect() as connection, database.connect() as other:
        receive(first, connection, (uuid4(), 1))
        rival.append(lambda: receive(second, other, (uuid4(), 2)))
        receive(first, connection, (uuid4(), 3))
        assert numbers(connection, TOGETHER) == [1, 2, 3]
    assert seen == [0, 0, 0, 1]


def test_a_small_batch_gives_way_to_whoever_holds_the_lock_and_stands_in_line_the_next_time(
    database: Database,
) -> None:
    receiver = receiver_of(keep_together, locks=shared)
    run = receiver.read([delivery(workers.counted(uuid4(), 1))])
    with database.connect() as connection, database.connect() as holder:
        with holder.transaction():
            Transaction(holder, announcements, Cause(uuid4())).lock([TOGETHER])
            with pytest.raises(Conflict):
                receiver.react_at_once(connection, run, brief=False)  # type: ignore[arg-type]
        assert database.rows("select from inbox union all select from stored_events") == []
        assert isinstance(receiver.handler, Reactor)
        assert receiver.handler.locks_first(1)
        receiver.receive(connection, run)
        assert numbers(connection, TOGETHER) == [1]


def test_the_doorbell_rings_after_a_commit_that_announced_and_only_then(database: Database) -> None:
    announced: list[int] = []

    def fail_or_keep(message: Counted, transaction: Transaction) -> None:
        if message.number == 1:
            keep(message, transaction)
        if message.number == 3:
            raise ValueError("not this one")

    receiver = receiver_of(fail_or_keep)
    receiver.ring = lambda: announced.append(len(database.rows("select from outbox")))
    with database.connect() as connection:
        for number in (1, 2, 3):
            receive(receiver, connection, (uuid4(), number))
    assert announced == [1]


MANY = """
insert into stored_events (originator_id, originator_version, topic, state, correlation_id, causation_id, actor, hash)
select gen_random_uuid(), 1, 'counter.kept', '', gen_random_uuid(), null, '', '' from generate_series(1, 20000);
insert into inbox select gen_random_uuid(), '', '', '' from generate_series(1, 20000);
insert into parked_messages (message_id, key, routing_key, headers, body, state)
select gen_random_uuid(), 'key ' || number, '', '{}', '', 'waiting' from generate_series(1, 20000) as number
"""


PARAMETERS = ("messages", "keys", "aggregates", "versions", "code")
PREPARE = "prepare look (uuid[], text[], uuid[], bigint[], text[]) as " + look.LOOK
EXPLAIN = "explain execute look ('{}', '{}', '{}', '{}', '{}')"


def test_the_look_at_a_message_probes_indexes_also_with_the_plan_of_an_empty_database(database: Database) -> None:
    prepare = PREPARE
    for number, name in enumerate(PARAMETERS, start=1):
        prepare = prepare.replace(f"%({name})b", f"${number}")
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        connection.execute("set plan_cache_mode = force_generic_plan")
        connection.execute(prepare)
        for _ in range(2):
            plan = "\n".join(line for (line,) in connection.execute(EXPLAIN))
            assert "Seq Scan" not in plan, plan
            assert re.search(r"Index Cond: .*originator_version >= GREATEST", plan), plan
            connection.execute(MANY)
            connection.execute("analyze stored_events, inbox, parked_messages")


def test_the_look_at_a_message_is_planned_once(database: Database) -> None:
    receiver = receiver_of(keep)
    plans = "select generic_plans, custom_plans from pg_prepared_statements where statement like '%wanted.version%'"
    with database.connect() as connection:
        for number in range(1, 31):
            receive(receiver, connection, (uuid4(), number))
        [(generic, custom)] = connection.execute(plans).fetchall()
    assert (generic, custom) == (25, 5)


def is_new_to_it(message: Counted, transaction: Transaction) -> bool:
    return transaction.find(Counter, message.counter_id) is None


def ask(message: Counted, transaction: Transaction, _: None) -> str:
    assert transaction.find(Counter, message.counter_id) is None
    return f"number {message.number}"


def keep_answered(message: Counted, transaction: Transaction, _: str | None) -> None:
    keep(message, transaction)


def test_a_step_and_the_decision_that_it_is_needed_share_one_look_at_the_database(database: Database) -> None:
    reactions = Reactions()
    reactions.to(Counted, loads=the_counter, outside=ask, needs_outside=is_new_to_it)(keep_answered)
    with counted(database.url) as (url, traffic), OutsideSteps(reactions, announcements, None, url, Event()) as steps:

        def answer(number: int) -> Any:
            [message] = receiver_of(keep).read([delivery(workers.counted(uuid4(), number))])
            assert isinstance(message, Received)
            return steps.start(message, fresh=True).result(timeout=20)

        assert [answer(number) for number in range(1, 8)] == [f"number {number}" for number in range(1, 8)]
        before = traffic.round_trips
        answer(8)
        assert traffic.round_trips - before == 1


def test_steps_go_on_over_new_sessions_after_the_server_has_ended_all_idle_ones(database: Database) -> None:
    """As a restart of Postgres does: each session of the pool has to be replaced, not handed out again."""
    reactions = Reactions()
    together = Barrier(4)
    reactions.to(Counted, loads=the_counter, outside=lambda *_: together.wait(20))(keep_answered)
    with OutsideSteps(reactions, announcements, None, database.url, Event()) as steps:

        def ask_all() -> list[Any]:
            run = [delivery(workers.counted(uuid4(), number)) for number in range(4)]
            started = [steps.start(message, fresh=True) for message in receiver_of(keep).read(run)]  # type: ignore[arg-type]
            return [future.result(timeout=20) for future in started]

        ask_all()
        ended = database.rows(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'outside steps'"
        )
        assert len(ended) >= 4
        assert sorted(ask_all()) == [0, 1, 2, 3]


def test_a_look_tells_what_took_effect_and_whose_key_is_parked(database: Database) -> None:
    receiver, counters = receiver_of(keep), [uuid4() for _ in range(3)]
    taken, parked, _ = counters
    with database.connect() as connection:
        receive(receiver, connection, (taken, 1))
        receiver.park(connection, earlier_message(parked), "dead", Failure("Boom", "", "", ""))
        read = receiver.read(delivery(workers.counted(counter, 1)) for counter in counters)
        messages = [each for each in read if isinstance(each, Received)]
        found = look.look(connection, messages)
    assert found.known == {messages[0].id: messages[0].message.event_hash}
    assert found.parked == {str(parked)}
