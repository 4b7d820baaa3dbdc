"""Runs an eventsourcing application on our tables: set PERSISTENCE_MODULE=ordersaga.store.recorder_factory."""

from collections.abc import Sequence
from typing import Any

from eventsourcing.persistence import AggregateRecorder, InfrastructureFactory, ProcessRecorder, StoredEvent
from psycopg import Connection
from psycopg_pool import ConnectionPool

from ordersaga.runtime.settings import MissingSetting
from ordersaga.store.recorder import OutboxRecorder, StreamRecorder, connected

POOL_SIZE = 10


class OutboxFactory(InfrastructureFactory[Any]):
    """Takes `<APPLICATION NAME>_DATABASE_URL`, so that an application named after its service needs no more."""

    def __init__(self, env: Any) -> None:
        super().__init__(env)
        url = self.env.get("DATABASE_URL")
        if not url:
            raise MissingSetting(f"{self.env.name.upper()}_DATABASE_URL is not set, so there is no event store.")
        self.pool: ConnectionPool[Connection[Any]] = ConnectionPool(
            url, kwargs={"autocommit": True}, min_size=1, max_size=POOL_SIZE, open=True
        )

    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        return SnapshotRecorder(self.pool) if purpose == "snapshots" else StreamRecorder(self.pool)

    def application_recorder(self) -> OutboxRecorder:
        return OutboxRecorder(self.pool)

    def tracking_recorder(self, tracking_recorder_class: Any = None) -> Any:
        raise NotImplementedError("What was received is kept in the inbox: write a consumer instead of tracking.")

    def process_recorder(self) -> ProcessRecorder:
        raise NotImplementedError("What was received is kept in the inbox: write a reaction instead of a policy.")

    def close(self) -> None:
        self.pool.close()


INSERT = """
insert into snapshots (originator_id, originator_version, topic, state, hash)
select taken.id, taken.version, taken.topic, taken.state, stored_events.hash
from unnest(%s::uuid[], %s::bigint[], %s::text[], %s::bytea[]) as taken (id, version, topic, state)
left join stored_events on originator_id = taken.id and originator_version = taken.version
"""


class SnapshotRecorder(StreamRecorder):
    """Snapshots, each with the hash of the event that it was taken after."""

    table = "snapshots"

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> None:
        """Raises IntegrityError when there is one of this version, or no event of it."""
        with connected(self.pool) as connection:
            columns = zip(
                *((s.originator_id, s.originator_version, s.topic, s.state) for s in stored_events), strict=True
            )
            connection.execute(INSERT, list(map(list, columns)), prepare=True)
