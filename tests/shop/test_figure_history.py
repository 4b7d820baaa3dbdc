"""The figures of each minute are kept for thirty days, once, and read back in steps."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from projections.monitor.minutes import NAMES, Minutes
from projections.monitor.snapshot import (
    BrokerStatus,
    ProcessStatus,
    QueueFigures,
    ReceivingFigures,
    RelayFigures,
    RequestFigures,
    Snapshot,
)
from projections.queries import history
from projections.queries.history import SPANS, MinuteFigure
from tests.support.databases import Database, Databases

MINUTE = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=10)


@pytest.fixture
def database(databases: Databases) -> Database:
    return databases("projections")


@pytest.fixture
def connection(database: Database) -> Iterator[Connection[Any]]:
    """With the rights of the role `projections`."""
    with database.connect() as connection:
        yield connection


def snapshot(at: datetime, number: int) -> Snapshot:
    """Every figure of it grows with the number."""
    process = ProcessStatus(
        "orders-worker",
        "worker",
        "",
        "up",
        (),
        at,
        memory_bytes=number,
        cores=number,
        relays=(RelayFigures("order_service", True, number, 0, 0, 0.0),),
        receiving=(ReceivingFigures("order_service", 0, 0.0, 0, 0.0, 0, 0.0, 0, number, 1, 0),),
        requests=RequestFigures(0, 0.0, 0, 0.0, number),
    )
    queues = (QueueFigures("order_service.0", number, 1, 1), QueueFigures("other", 99, 0, 0))
    broker = BrokerStatus("broker", None, number, number, ready=number, unacknowledged=number, queues=queues)
    return Snapshot(at, (process,), broker)


def test_a_minute_keeps_the_mean_of_rates_and_the_greatest_of_the_rest_and_is_written_once(
    connection: Connection[Any],
) -> None:
    for _ in range(2):
        minutes = Minutes()
        for second, number in ((0, 2), (30, 4), (60, 9)):
            minutes.take(snapshot(MINUTE + timedelta(seconds=second), number))
        minutes.write(connection)
    rows = connection.execute("select figure, subject, value, minute from figure_minutes").fetchall()
    assert {minute for *_, minute in rows} == {MINUTE}
    assert sorted((figure, subject, value) for figure, subject, value, _ in rows) == [
        ("cpu", "", 3),
        ("delivered", "", 3),
        ("enqueued", "", 3),
        ("memory", "orders-worker", 4),
        ("p95", "orders-worker", 4),
        ("parked", "order_service", 5),
        ("ready", "", 4),
        ("relay_lag", "order_service", 4),
        ("unacknowledged", "", 4),
        ("waiting", "order_service", 5),
    ]
    assert {figure for figure, *_ in rows} == set(NAMES)


def test_a_longer_range_has_the_mean_and_the_greatest_value_of_its_steps(connection: Connection[Any]) -> None:
    step = SPANS["24h"].step.total_seconds()
    start = datetime.fromtimestamp(MINUTE.timestamp() // step * step, UTC)
    history.keep(connection, [MinuteFigure(start + timedelta(minutes=each), "cpu", "", each) for each in range(3)])
    [point] = history.figures(connection, SPANS["24h"], ["cpu", "memory"])
    assert (point.at, point.mean, point.greatest) == (start, 1.0, 2.0)
    assert [each.greatest for each in history.figures(connection, SPANS["1h"], ["cpu"])] == [0, 1, 2]
    assert history.figures(connection, SPANS["1h"], ["memory"]) == []


def test_a_range_of_weeks_reads_hours_that_were_summed_up_and_the_minutes_of_this_hour(
    connection: Connection[Any],
) -> None:
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    before = [MinuteFigure(hour - timedelta(minutes=each), "cpu", "", each) for each in (1, 2, 3)]
    history.keep(connection, [*before, MinuteFigure(hour, "cpu", "", 7.0)])
    for _ in range(2):
        history.summarise(connection, NAMES)
    hours = connection.execute("select hour, mean, greatest from figure_hours").fetchall()
    assert hours == [(hour - timedelta(hours=1), 2.0, 3.0)]
    found = [(each.at, each.mean, each.greatest) for each in history.figures(connection, SPANS["7d"], ["cpu"])]
    assert found == [*hours, (hour, 7.0, 7.0)]
    [*_, last] = history.figures(connection, SPANS["30d"], ["cpu"])
    assert last.greatest == 7.0


def test_what_is_older_than_thirty_days_is_deleted(connection: Connection[Any]) -> None:
    now = datetime.now(UTC)
    ages = (timedelta(days=31), timedelta(days=29))
    history.keep(connection, [MinuteFigure(now - age, "cpu", "", 1.0) for age in ages])
    history.summarise(connection, NAMES)
    history.trim(connection, NAMES)
    assert connection.execute("select minute from figure_minutes").fetchall() == [(now - ages[1],)]
    assert connection.execute("select count(*) from figure_hours").fetchall() == [(1,)]


def test_traffic_is_that_of_the_event_log_per_minute(database: Database, connection: Connection[Any]) -> None:
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute(
            "insert into minute_view values (%s, 'orders.order_placed.v1', 16), (%s, 'orders.order_confirmed.v1', 8)",
            [MINUTE, MINUTE],
        )
    [minute] = history.traffic(connection, SPANS["1h"])
    assert (minute.placed, minute.confirmed, minute.messages) == (16, 8, 24)
    [step] = history.traffic(connection, SPANS["24h"])
    assert (step.placed, step.confirmed, step.messages) == (2, 1, 3)
