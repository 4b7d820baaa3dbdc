"""Aggregates as rows: the rows of new events, and aggregates loaded from snapshots and events."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast
from uuid import UUID

from eventsourcing.domain import BaseAggregate, CanMutateAggregate
from eventsourcing.persistence import StoredEvent
from psycopg import Connection

from ordersaga.envelope.message import Cause
from ordersaga.store.fingerprint import UNKNOWN, fingerprint, of_all_aggregates
from ordersaga.store.hash_chain import chain
from ordersaga.store.topics import AggregateSnapshot, mapper

SNAPSHOT_EVERY = 100
"""Events after which a changed aggregate gets a new snapshot; a load reads one snapshot and about as many events, or
the whole history when no snapshot is of this code, until the next change."""


class NewEventRow(NamedTuple):
    """One new row of stored_events."""

    stored: StoredEvent
    cause: Cause
    hash: bytes


class SnapshotRow(NamedTuple):
    """One new row of snapshots: with the hash of the last event in it, and the fingerprint of the code that took it."""

    stored: StoredEvent
    hash: bytes
    fingerprint: str


@dataclass(slots=True)
class History:
    """A loaded aggregate, with the hash that its next event continues, and the version of its last snapshot."""

    aggregate: BaseAggregate[UUID]
    hash: bytes
    snapshot_version: int = 0
    """0 without a snapshot that this code took."""

    def snapshot_if_due(self) -> SnapshotRow | None:
        """A new snapshot once there are SNAPSHOT_EVERY events since the last one."""
        code = fingerprint(type(self.aggregate))
        if self.aggregate.version - self.snapshot_version < SNAPSHOT_EVERY or code == UNKNOWN:
            return None
        self.snapshot_version = self.aggregate.version
        return SnapshotRow(snapshot_of(self.aggregate), self.hash, code)


def record(events: Sequence[CanMutateAggregate[UUID]], previous: bytes, cause: Cause) -> Iterator[NewEventRow]:
    """Rows for new events of one stream; each hash continues the previous one."""
    for event in events:
        stored = mapper.to_stored_event(cast(Any, event))
        previous = chain(previous, stored, cause)
        yield NewEventRow(stored, cause, previous)


def snapshot_of(aggregate: BaseAggregate[UUID]) -> StoredEvent:
    return mapper.to_stored_event(cast(Any, AggregateSnapshot.take(aggregate)))


LOAD = """
with latest as (
    select distinct on (originator_id) originator_id, originator_version, topic, state, hash
    from snapshots where originator_id = any(%(ids)s::uuid[]) and fingerprint = any(%(code)s::text[])
    order by originator_id, originator_version desc
)
select originator_id, originator_version, topic, state, hash from latest
union all
select e.originator_id, e.originator_version, e.topic, e.state, e.hash
from unnest(%(ids)s::uuid[]) as wanted (id)
left join latest on latest.originator_id = wanted.id
join stored_events e on e.originator_id = wanted.id and e.originator_version > coalesce(latest.originator_version, 0)
order by originator_id, originator_version
"""


def load(connection: Connection[Any], ids: Iterable[UUID]) -> dict[UUID, History]:
    """The existing aggregates of these ids, in one query: the newest snapshot of this code and the events after it."""
    histories: dict[UUID, History] = {}
    wanted = {"ids": list(ids), "code": of_all_aggregates()}
    with connection.cursor(binary=True) as cursor:
        for originator_id, version, topic, state, hash_ in cursor.execute(LOAD, wanted):
            event = mapper.to_domain_event(StoredEvent(originator_id, version, topic, state))
            history = histories.get(originator_id)
            taken = history.snapshot_version if history else version if topic == AggregateSnapshot.TOPIC else 0
            histories[originator_id] = History(event.mutate(history and history.aggregate), hash_, taken)
    return histories


OF_KIND = """
select originator_id from stored_events
where topic = %(topic)s and originator_version = 1 and (%(after)s::uuid is null or position > (
    select position from stored_events where originator_id = %(after)s and originator_version = 1))
order by position limit %(limit)s
"""


def ids_of_kind(
    connection: Connection[Any], created: type[CanMutateAggregate[UUID]], limit: int = 1000, after: UUID | None = None
) -> list[UUID]:
    """Ids of the aggregates that this event created, oldest first, at most `limit`, after the aggregate `after`."""
    topic: str = getattr(created, "TOPIC")  # noqa: B009 - not declared on the library's base class
    rows = connection.execute(OF_KIND, {"topic": topic, "after": after, "limit": limit})
    return [row[0] for row in rows]
