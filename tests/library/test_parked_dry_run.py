"""What a dry run of a parked message promises: it shows what would be made, leaves nothing and calls nobody."""

from typing import Any
from uuid import uuid4

import psycopg
from psycopg import Connection
from psycopg.sql import SQL, Identifier

from ordersaga.consumer.receiver import Receiver
from ordersaga.inbox.delivery import Received, read
from ordersaga.parked import dry_run as dry_runs
from tests.support.counting import GROUP, Asked
from tests.support.databases import Database
from tests.support.parking import delivery, fail, handler
from tests.support.workers import Counting, counted


def contents(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    tables = [name for (name,) in database.rows("select tablename from pg_tables where schemaname = 'public'")]
    with psycopg.connect(database.owner_url) as connection:
        return {
            name: connection.execute(SQL("select t::text from {} t order by 1").format(Identifier(name))).fetchall()
            for name in tables
        }


def test_a_dry_run_shows_what_would_be_made_and_leaves_nothing(counting: Counting, connection: Connection[Any]) -> None:
    counter = uuid4()
    dead, *_ = fail(counting, connection, counter)
    before = contents(counting.database)
    run = dry_runs.dry_run(connection, dead.id, handler)
    assert (run.outside, run.failure, run.received_before, run.removed) == ("none", None, False, {})
    tables = [table for table, _ in run.rows]
    assert tables == ["inbox", "outbox", "stored_events", "stored_events"]
    shown = dict(run.rows)
    assert shown["inbox"]["message_id"] == str(dead.id)
    assert shown["outbox"]["contract"] == "test.count_kept.v1"
    assert shown["outbox"]["body"]["number"] == 1
    assert [row["topic"] for table, row in run.rows if table == "stored_events"] == ["counter.opened", "counter.kept"]
    assert contents(counting.database) == before
    assert len(before) >= 9
    assert before["parked_messages"]
    again = dry_runs.dry_run(connection, dead.id, handler)
    assert [table for table, _ in again.rows] == tables


def test_a_dry_run_says_why_a_message_would_fail_again(counting: Counting, connection: Connection[Any]) -> None:
    counter = uuid4()
    dead, *_ = fail(counting, connection, counter)
    counting.switches.set(counter, "fail")
    before = contents(counting.database)
    run = dry_runs.dry_run(connection, dead.id, handler)
    assert run.failure is not None
    assert (run.failure.error, run.failure.message) == ("ValueError", f"counter {counter} cannot count 1")
    assert run.rows == []
    assert contents(counting.database) == before


class World:
    """Counts how often it is asked."""

    asked = 0

    def __format__(self, _: str) -> str:
        self.asked += 1
        return "hello"


def test_a_dry_run_calls_an_outside_step_only_when_it_is_told_to(
    counting: Counting, connection: Connection[Any]
) -> None:
    message = counted(uuid4(), 1, Asked)
    received = read(delivery(message), handler.contracts)
    assert isinstance(received, Received)
    received.failure = ValueError("the world was away")
    Receiver(GROUP, handler).receive(connection, [received])
    before = contents(counting.database)
    left_out = dry_runs.dry_run(connection, message.id, handler)
    assert (left_out.outside, left_out.rows, left_out.failure) == ("not called", [], None)
    resources = World()
    run = dry_runs.dry_run(connection, message.id, handler, resources)
    assert (run.outside, run.answer, resources.asked) == ("called", "hello, 1", 1)
    assert [table for table, _ in run.rows] == ["inbox", "outbox", "stored_events", "stored_events"]
    assert contents(counting.database) == before
