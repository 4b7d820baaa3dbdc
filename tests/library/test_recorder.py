"""The library's own suites pass on our recorders, which take no table lock and send no NOTIFY."""

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from eventsourcing.application import Application
from eventsourcing.persistence import EventStore, IntegrityError, OperationalError, StoredEvent
from eventsourcing.tests import application as library_application
from eventsourcing.tests.persistence import (
    AggregateRecorderTestCase,
    ApplicationRecorderTestCase,
    NonInterleavingNotificationIDsBaseCase,
)
from psycopg import Connection
from psycopg_pool import ConnectionPool

from ordersaga.envelope.message import Cause
from ordersaga.eventsourcing_adapter.factory import OutboxFactory
from ordersaga.eventsourcing_adapter.recorder import OutboxRecorder, StreamRecorder
from ordersaga.store.aggregates import snapshot_of
from ordersaga.store.hash_chain import GENESIS, chain
from ordersaga.store.topics import mapper
from ordersaga.store.transaction import Transaction
from tests.support.counting import Counter, announcements
from tests.support.databases import Database, Databases

Pool = ConnectionPool[Connection[tuple[object, ...]]]

EXCEPTED = {
    (NonInterleavingNotificationIDsBaseCase, "test"): (
        "asserts that the ids of two batches recorded at the same time do not interleave, which only a lock on the"
        " whole table brings about; what readers need of it is held by test_recorder_readers.py"
    ),
}
"""The only cases of the library's suites that are not run, each with its reason."""


@pytest.fixture
def store(database: Databases) -> Database:
    return database()


@pytest.fixture
def pool(store: Database) -> Iterator[Pool]:
    with ConnectionPool(store.url, kwargs={"autocommit": True}, min_size=1, max_size=12) as pool:
        yield pool


class OnOurStore:
    """Hands a fresh database to test cases of unittest, which know no fixtures."""

    pool: Pool

    @pytest.fixture(autouse=True)
    def take_pool(self, pool: Pool) -> None:
        self.pool = pool


class TestStreamRecorder(OnOurStore, AggregateRecorderTestCase):  # type: ignore[misc]
    def create_recorder(self) -> StreamRecorder:
        return StreamRecorder(self.pool)


class TestOutboxRecorder(OnOurStore, ApplicationRecorderTestCase[OutboxRecorder]):  # type: ignore[misc]
    def create_recorder(self) -> OutboxRecorder:
        return OutboxRecorder(self.pool)

    def test_insert_subscribe(self) -> None:
        """The library leaves it to each recorder to run this one."""
        self.optional_test_insert_subscribe()


def test_every_case_of_the_suites_is_run_or_excepted_by_name() -> None:
    ours = {name for case in (TestStreamRecorder, TestOutboxRecorder) for name in dir(case) if name.startswith("test")}
    suites = (AggregateRecorderTestCase, ApplicationRecorderTestCase, NonInterleavingNotificationIDsBaseCase)
    theirs = {(suite, name) for suite in suites for name in dir(suite) if name.startswith("test")}
    assert {(suite, name) for suite, name in theirs if name not in ours} == set(EXCEPTED)
    assert all(getattr(case, "pytestmark", []) == [] for case in (TestStreamRecorder, TestOutboxRecorder))


class TestExampleApplication(OnOurStore, library_application.ExampleApplicationTestCase):  # type: ignore[misc]
    """The library's example, snapshots and all, on our tables."""

    expected_factory_topic = "ordersaga.eventsourcing_adapter.factory:OutboxFactory"

    @pytest.fixture(autouse=True)
    def choose_our_persistence(self, store: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PERSISTENCE_MODULE", "ordersaga.eventsourcing_adapter.factory")
        monkeypatch.setenv("BANKACCOUNTS_DATABASE_URL", store.url)


@pytest.fixture
def counters(store: Database, pool: Pool) -> Iterator[Application[UUID]]:
    """An application of the library's that announces what the counting service announces."""

    class Counters(Application[UUID]):
        name = "counting"
        env = {"PERSISTENCE_MODULE": "ordersaga.eventsourcing_adapter.factory", "COUNTING_DATABASE_URL": store.url}

        def construct_event_store(self) -> EventStore[UUID]:
            return EventStore(mapper, OutboxRecorder(pool, announcements))

    with Counters() as counters:
        yield counters


def test_an_application_of_the_library_records_and_announces_as_the_service_does(
    counters: Application[UUID], store: Database
) -> None:
    counter, cause = Counter(id=uuid4()), Cause(uuid4(), uuid4(), actor="alice")
    counter.keep(1)
    counters.save(counter, cause=cause)
    counter = counters.repository.get(counter.id)
    counter.keep(2)
    counters.save(counter, cause=cause)
    with store.connect() as connection:
        loaded = Transaction(connection, announcements, cause).get(Counter, counter.id)
    assert (loaded.version, loaded.numbers) == (3, [1, 2])
    assert store.rows(
        "select contract, sequence, correlation_id, causation_id, actor from outbox order by position"
    ) == [
        ("test.count_kept.v1", 2, cause.correlation_id, cause.causation_id, "alice"),
        ("test.count_kept.v1", 3, cause.correlation_id, cause.causation_id, "alice"),
    ]


def test_the_hash_chain_of_a_stream_is_kept_across_calls(pool: Pool, store: Database) -> None:
    recorder, cause, id_ = OutboxRecorder(pool), Cause(uuid4(), actor="alice"), uuid4()
    events = [StoredEvent(id_, version, f"topic{version}", b"state") for version in range(1, 6)]
    for batch in (events[:1], events[1:3], events[3:]):
        recorder.insert_events(batch, cause=cause)
    expected, previous = [], GENESIS
    for event in events:
        previous = chain(previous, event, cause)
        expected.append((previous,))
    assert store.rows("select hash from stored_events order by originator_version") == expected


def test_a_stream_has_no_holes(pool: Pool) -> None:
    recorder, id_ = OutboxRecorder(pool), uuid4()
    recorder.insert_events([StoredEvent(id_, 1, "topic", b"")])
    with pytest.raises(IntegrityError, match=f"{id_} is at version 1, so 3 cannot be recorded"):
        recorder.insert_events([StoredEvent(uuid4(), 1, "topic", b""), StoredEvent(id_, 3, "topic", b"")])
    assert [event.originator_version for event in recorder.select_events(id_)] == [1]
    assert recorder.max_notification_id() == 1


def test_a_snapshot_of_what_is_not_recorded_is_refused(store: Database) -> None:
    counter = Counter(id=uuid4())
    counter.collect_events()
    with OutboxFactory({"DATABASE_URL": store.url}) as factory:
        snapshots = factory.aggregate_recorder(purpose="snapshots")
        with pytest.raises(IntegrityError, match='null value in column "hash"'):
            snapshots.insert_events([snapshot_of(counter)])
        factory.close()


def test_the_errors_of_the_driver_become_those_of_the_library() -> None:
    nowhere = ConnectionPool("postgresql://nobody@127.0.0.1:1/nothing", min_size=0, max_size=1, timeout=0.1, open=True)
    with nowhere as pool, pytest.raises(OperationalError, match="couldn't get a connection"):
        OutboxRecorder(pool).max_notification_id()
