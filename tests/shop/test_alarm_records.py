"""Beginnings and ends of alarms are recorded once, by one process at a time, also those of a database's outage."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from devstack.ports import LOOPBACK, choose
from ordersaga.database import pool
from ordersaga.runtime.health import serve_health
from projections.audit.sources import Sources
from projections.monitor import monitor as monitoring
from projections.monitor import watch as watching
from projections.monitor.alarm import Alarm
from projections.monitor.expected import of_the_shop
from projections.monitor.limits import AlarmLimits
from projections.monitor.minutes import Minutes
from projections.monitor.monitor import Monitor
from projections.monitor.recorder import Recorder
from projections.monitor.standing import ROUNDS, Standing
from projections.monitor.targets import Target
from projections.monitor.watch import Watch
from projections.queries import alarms as queries
from projections.queries.history import MinuteFigure
from tests.support.databases import Database, Databases
from tests.support.wait import until

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
DOWN = Alarm("process_down", "orders-worker", "critical", "It is down.", "infrastructure")
DEAD = Alarm("dead_messages", "orders", "critical", "One message is dead.", "parked")
CHANGES = """
select name, subject, change, at from alarm_changes join alarms on alarms.id = alarm order by position
"""


@pytest.fixture
def database(databases: Databases) -> Database:
    return databases("projections")


@pytest.fixture
def opened(database: Database) -> Iterator[pool.Database]:
    """As the process has it: with the rights of the role `projections`."""
    found = pool.Database(database.url, "projections", 2)
    yield found
    found.pool.close()


class Rounds:
    """A process that derives alarms every second."""

    def __init__(self, opened: pool.Database, second: int = 0) -> None:
        self.standing, self.minutes, self.recorder = Standing(), Minutes(), Recorder(opened)
        self.second = second

    def see(self, *alarms: Alarm) -> None:
        """In so many rounds that they stand."""
        for _ in range(ROUNDS):
            self.standing.update(alarms, START + timedelta(seconds=self.second))
            self.second += 1
            self.recorder.record(self.standing, self.minutes)


def changes(database: Database) -> list[tuple[str, str]]:
    return [(name, change) for name, _, change, _ in database.rows(CHANGES)]


def test_the_beginning_and_the_end_of_an_alarm_are_recorded_once(database: Database, opened: pool.Database) -> None:
    process = Rounds(opened)
    process.see(DOWN)
    process.see(DOWN, DEAD)
    process.see(DEAD)
    process.see(DOWN, DEAD)
    assert database.rows(CHANGES)[0] == ("process_down", "orders-worker", "raised", START)
    assert changes(database) == [
        ("process_down", "raised"),
        ("dead_messages", "raised"),
        ("process_down", "cleared"),
        ("process_down", "raised"),
    ]
    with database.connect() as connection:
        assert {row.name for row in queries.standing(connection)} == {"process_down", "dead_messages"}
        [row] = queries.ended(connection)
        assert (row.name, row.raised_at, row.cleared_at) == ("process_down", START, START + timedelta(seconds=5))
        assert queries.ended(connection, behind=queries.AlarmCursor(row.raised_at, row.id)) == []


def test_two_processes_record_nothing_twice_and_the_second_takes_over(
    database: Database, opened: pool.Database
) -> None:
    first, second = Rounds(opened), Rounds(opened)
    first.see(DOWN)
    second.see(DEAD)
    second.see()
    assert changes(database) == [("process_down", "raised")]
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute("update alarm_recorder set until = now() - interval '1 second'")
    second.recorder._due_at = float("-inf")
    second.see(DEAD)
    first.see()
    assert changes(database) == [("process_down", "raised"), ("process_down", "cleared"), ("dead_messages", "raised")]


def test_a_process_that_starts_again_neither_ends_nor_repeats_what_stands(
    database: Database, opened: pool.Database
) -> None:
    Rounds(opened).see(DOWN)
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute("update alarm_recorder set until = now() - interval '1 second'")
    again = Rounds(opened, second=600)
    again.see(DOWN)
    assert changes(database) == [("process_down", "raised")]
    assert [alarm.since for alarm in again.standing.alarms] == [START]


def test_what_begins_and_ends_while_the_database_is_away_is_recorded_when_it_answers(
    database: Database, opened: pool.Database
) -> None:
    process = Rounds(opened)
    process.see()
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute("alter table alarm_recorder rename to away")
        process.see(DOWN)
        process.see(DEAD)
        owner.execute("alter table away rename to alarm_recorder")
    assert changes(database) == []
    process.see(DEAD)
    assert changes(database) == [("process_down", "raised"), ("process_down", "cleared"), ("dead_messages", "raised")]
    assert [at for *_, at in database.rows(CHANGES)] == [START + timedelta(seconds=second) for second in (2, 5, 4)]


def test_figures_that_cannot_be_recorded_keep_no_alarm_back(database: Database, opened: pool.Database) -> None:
    process = Rounds(opened)
    process.minutes.due.append(MinuteFigure(datetime.now(UTC), "cpu", "", 1.0))
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute("alter table figure_minutes rename to away")
        process.see(DOWN)
        assert changes(database) == [("process_down", "raised")]
        owner.execute("alter table away rename to figure_minutes")
    process.see(DOWN)
    assert database.rows("select figure, value from figure_minutes") == [("cpu", 1.0)]


def test_a_process_that_nobody_looks_at_raises_its_alarm_and_the_alarm_ends_with_it(
    database: Database, opened: pool.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(monitoring, "PERIOD", 0.05)
    address = f"http://{LOOPBACK}:{(port := choose(set()))}"
    monitor = Monitor([Target("simulator", address)]).start()
    watch = Watch(monitor, Sources(opened, {}, None), of_the_shop(), AlarmLimits()).start()
    try:
        assert until(lambda: changes(database) == [("process_down", "raised")])
        assert [alarm.subject for alarm in watch.alarms] == ["simulator"]
        serve_health(port, LOOPBACK, list)
        # Its metrics are those of this process, in which other tests may have left alarms of their own.
        assert until(lambda: monitor.snapshots() and "process_down" not in {alarm.name for alarm in watch.alarms})
        assert until(lambda: {("process_down", "raised"), ("process_down", "cleared")} <= set(changes(database)))
    finally:
        watch.stop()
        monitor.stop()
