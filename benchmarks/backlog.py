"""The relay with much behind it and beside it: a million rows waiting or published, a stranger's transaction."""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from benchmarks.place import Place, made_dead
from benchmarks.relay import fill, queues, relay_rate
from benchmarks.rows import Row, compare
from ordersaga.relay import session, window
from ordersaga.relay.dispatch import PAGE_BYTES
from tests.support.databases import Database

FEW = 20_000
POLLS = 200
LIMITS = window.PageLimits(PAGE_BYTES, PAGE_BYTES)


def rate_of(place: Place, database: Database, rows: int) -> float:
    """Messages a second, from taking the lead to the last confirm of the first `rows` that wait."""
    with queues(place.amqp_url):
        return relay_rate(database.relay_url, place.amqp_url, rows)


def fill_with_many(database: Database, rows: int) -> None:
    """Makes the window's index afterwards, which takes half the time."""
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        found = connection.execute("select indexdef from pg_indexes where indexname = 'outbox_window'").fetchone()
        assert found is not None
        connection.execute("drop index outbox_window")
        fill(database.owner_url, rows)
        connection.execute(found[0])


def rate_of_few(place: Place, database: Database) -> float:
    fill(database.owner_url, FEW)
    return rate_of(place, database, FEW)


@contextmanager
def open_transaction_of_a_stranger(place: Place) -> Iterator[None]:
    """Another database of the same server, where somebody has written and does not commit."""
    with psycopg.connect(place.servers.postgres.superuser_url("postgres")) as stranger:
        stranger.execute("create table strange (id int)")
        yield
        stranger.rollback()


def measure_foreign_transaction(place: Place) -> list[Row]:
    alone, beside = [], []
    with place.fresh_databases() as fresh:
        database = fresh("order_service")
        for _ in range(place.size.relay_rounds):
            alone.append(rate_of_few(place, database))
            with open_transaction_of_a_stranger(place):
                beside.append(rate_of_few(place, database))
    return [compare("relay_with_foreign_transaction", "messages/s", beside, alone)]


def idle_polls(database: Database) -> list[float]:
    """Milliseconds that each of many polls takes when there is nothing to publish, in a session like the relay's."""
    times = []
    with session.connect(database.relay_url) as connection:
        session.prepare(connection, unsafe_durability=False)
        opened = window.open_window(connection, window.load_cursor(connection), LIMITS)
        cursor = window.Cursor(opened.target)
        window.save_cursor(connection, cursor)
        for _ in range(POLLS):
            began = time.perf_counter()
            assert not window.open_window(connection, cursor, LIMITS).positions
            times.append(1000 * (time.perf_counter() - began))
    return times


def measure_million(place: Place) -> list[Row]:
    """The rate with very many rows waiting, between two rates with few; then polls over what is left of them."""
    few, many, dead, polls, empty_polls = [], [], [], [], []
    with place.fresh_databases() as fresh:
        small, empty = fresh("order_service"), fresh("order_service")
        for _ in range(place.size.backlog_rounds):
            large = fresh("order_service")
            before = rate_of_few(place, small)
            fill_with_many(large, place.size.backlog_rows)
            many.append(rate_of(place, large, place.size.backlog_published))
            few.append(statistics.mean((before, rate_of_few(place, small))))
            dead.append(made_dead(large, ["outbox"]) / place.size.backlog_published)
            for _ in range(3):
                polls.append(statistics.median(idle_polls(large)))
                empty_polls.append(statistics.median(idle_polls(empty)))
        marked = [mark_one_by_one(small)] * len(dead)
    return [
        compare("relay_at_1m_vs_20k", "messages/s", many, few),
        compare("idle_poll_ms_at_1m_retained", "ms", polls, empty_polls),
        compare("dead_tuples_per_message", "tuples", dead, marked),
    ]


def mark_one_by_one(database: Database) -> float:
    """Dead tuples per message of a relay that marks what it has published in a column."""
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        connection.execute("create table marked as select *, false as published from outbox limit 1000")
        connection.execute("update marked set published = true")
    return made_dead(database, ["marked"]) / 1000
