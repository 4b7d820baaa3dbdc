"""A reader that goes by position misses nothing and is kept waiting by nobody but who writes events just then."""

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from uuid import uuid4

import psycopg
import pytest
from eventsourcing.persistence import Notification, StoredEvent
from psycopg import Connection
from psycopg_pool import ConnectionPool

from ordersaga.envelope.message import Cause
from ordersaga.eventsourcing_adapter.recorder import OutboxRecorder
from ordersaga.store import flush
from ordersaga.store.aggregates import NewEventRow
from tests.support.databases import Database, Databases
from tests.support.wait import until

LOOK = "select virtualtransaction from pg_locks"


@pytest.fixture
def store(database: Databases) -> Database:
    return database()


@pytest.fixture
def recorder(store: Database) -> Iterator[OutboxRecorder]:
    with ConnectionPool(store.url, kwargs={"autocommit": True}, min_size=1, max_size=4) as pool:
        yield OutboxRecorder(pool)


def write(connection: Connection[tuple[object, ...]], topic: str = "topic") -> None:
    """One event, as a flush writes it; the transaction is the caller's."""
    event = NewEventRow(StoredEvent(uuid4(), 1, topic, b""), Cause(uuid4()), b"hash")
    flush.write(connection, flush.Rows(events=[event]))


def positions(recorder: OutboxRecorder, start: int | None = None, topics: tuple[str, ...] = ()) -> list[int]:
    return [notification.id for notification in recorder.select_notifications(start, 10, topics=topics)]


def test_an_event_that_commits_late_is_not_passed(store: Database, recorder: OutboxRecorder) -> None:
    recorder.settle_seconds = 0.05
    with psycopg.connect(store.url) as late:
        write(late, "late")
        with store.connect() as early:
            write(early, "early")
        assert store.rows("select position, topic from stored_events") == [(2, "early")]
        assert positions(recorder) == []
        late.commit()
    assert positions(recorder) == [1, 2]


def test_a_reader_that_wants_one_topic_does_not_pass_it_either(store: Database, recorder: OutboxRecorder) -> None:
    recorder.settle_seconds = 0.05
    with psycopg.connect(store.url) as late:
        write(late, "wanted")
        with store.connect() as early:
            write(early, "wanted")
        assert positions(recorder, topics=("wanted",)) == []
        late.commit()
    assert positions(recorder, topics=("wanted",)) == [1, 2]


def test_what_lies_before_the_gap_of_a_slow_writer_is_read(store: Database, recorder: OutboxRecorder) -> None:
    recorder.settle_seconds = 0.05
    with psycopg.connect(store.url) as slow, store.connect() as quick:
        write(quick)
        write(slow)
        write(quick)
        assert positions(recorder) == [1]
        assert positions(recorder, start=2) == []


def test_a_gap_that_nobody_can_fill_any_more_is_passed(store: Database, recorder: OutboxRecorder) -> None:
    with psycopg.connect(store.url) as failing, store.connect() as quick:
        write(failing)
        write(quick)
        failing.rollback()
    assert positions(recorder) == [2]


def test_a_reader_waits_for_a_writer_that_is_about_to_commit(store: Database, recorder: OutboxRecorder) -> None:
    recorder.settle_seconds = 30
    with psycopg.connect(store.url) as late, ThreadPoolExecutor(1) as threads:
        write(late)
        with store.connect() as early:
            write(early)
        reading = threads.submit(positions, recorder)
        wait_until_waiting(store)
        late.commit()
        assert reading.result() == [1, 2]


def wait_until_waiting(store: Database) -> None:
    """Until the reader has seen who is writing."""
    until(
        lambda: store.rows(
            "select from pg_stat_activity where query like %s and pid <> pg_backend_pid()", [f"%{LOOK}%"]
        )
    )


def test_writers_of_other_tables_and_databases_keep_nobody_waiting(
    store: Database, database: Databases, recorder: OutboxRecorder
) -> None:
    recorder.settle_seconds = 30
    elsewhere = database()
    with psycopg.connect(store.url) as same, psycopg.connect(elsewhere.url) as other, store.connect() as quick:
        same.execute("insert into inbox values (gen_random_uuid(), 'contract', 'source', '')")
        write(other)
        write(quick)
        began = time.monotonic()
        assert positions(recorder) == [1]
        assert time.monotonic() - began < 10


def test_a_subscription_gets_every_event_once_and_in_order_while_many_write(
    store: Database, recorder: OutboxRecorder
) -> None:
    recorder.settle_seconds = 30

    def write_some(seed: int) -> None:
        chance = random.Random(seed)
        with psycopg.connect(store.url) as connection:
            for _ in range(40):
                for _ in range(chance.choice((1, 2))):
                    write(connection)
                    time.sleep(chance.choice((0, 0, 0.003)))
                if chance.random() < 0.3:
                    connection.rollback()
                connection.commit()

    with recorder.subscribe() as subscription, ThreadPoolExecutor(7) as threads:
        reading = threads.submit(lambda: [event.id for event in takewhile(is_not_the_end, subscription)])
        for writing in [threads.submit(write_some, seed) for seed in range(6)]:
            writing.result()
        recorder.insert_events([StoredEvent(uuid4(), 1, "the end", b"")])
        read = reading.result()
    written = store.rows("select position from stored_events where topic <> 'the end' order by position")
    assert read == [position for (position,) in written]
    assert read != list(range(1, len(read) + 1)), "nothing was rolled back, so no gap was passed"


def is_not_the_end(notification: Notification) -> bool:
    return notification.topic != "the end"
