"""Aggregates as rows: the rows of new events, and aggregates loaded from snapshots and events."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast
from uuid import UUID

from eventsourcing.domain import BaseAggregate, CanMutateAggregate
from eventsourcing.persistence import StoredEvent
from psycopg import Connection

from ordersaga.envelope.message import Cause
from ordersaga.store.fingerprint import UNKNOWN, fingerprint, of_all_aggregates
from ordersaga.store.hash_chain import chain
from ordersaga.store.topics import AggregateSnapshot, mapper, topic_of

SNAPSHOT_EVERY = 100
"""Events after which a changed aggregate gets a new snapshot; a load reads one snapshot and about as many events, or
the whole history when no snapshot is of this code, until the next change."""


Row = tuple[UUID, int, str, bytes, bytes]
"""Id, version, topic, state and hash of an event or a snapshot."""


class NewEventRow(NamedTuple):
    """One new row of stored_events."""

    stored: StoredEvent
    cause: Cause
    hash: bytes
    free_lock: int | None = None
    """The flush takes this lock, and fails if another transaction has it; None: it takes none."""

    @property
    def aggregate_id(self) -> UUID:
        return cast(UUID, self.stored.originator_id)


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

    @property
    def stored_version(self) -> int:
        """The version of the last event that is stored or saved."""
        return self.aggregate.version - len(self.aggregate.pending_events)

    def snapshot_if_due(self) -> SnapshotRow | None:
        """A new snapshot once there are SNAPSHOT_EVERY events since the last one."""
        code = fingerprint(type(self.aggregate))
        if self.aggregate.version - self.snapshot_version < SNAPSHOT_EVERY or code == UNKNOWN:
            return None
        self.snapshot_version = self.aggregate.version
        return SnapshotRow(snapshot_of(self.aggregate), self.hash, code)


NOTHING: Mapping[UUID, History] = {}


def record(events: Sequence[CanMutateAggregate[UUID]], previous: bytes, cause: Cause) -> Iterator[NewEventRow]:
    """Rows for new events of one stream; each hash continues the previous one."""
    for event in events:
        stored = mapper.to_stored_event(cast(Any, event))
        previous = chain(previous, stored, cause)
        yield NewEventRow(stored, cause, previous)


def snapshot_of(aggregate: BaseAggregate[UUID]) -> StoredEvent:
    return mapper.to_stored_event(cast(Any, AggregateSnapshot.take(aggregate)))


LATEST = """
latest as (
    select wanted.id, found.* from wanted cross join lateral (
        select originator_version, topic, state, hash from snapshots
        where wanted.version = 0 and originator_id = wanted.id and fingerprint = any((select %(code)b::text[])::text[])
        order by originator_version desc limit 1) as found
)
"""
WANTED = f"""
wanted as (
    select * from unnest((select %(aggregates)b::uuid[]), (select %(versions)b::bigint[])) as wanted (id, version)),
{LATEST}
"""  # noqa: S608 - constants
ROWS = """
select id, originator_version, topic, state, hash from latest
union all
select wanted.id, e.* from wanted left join latest on latest.id = wanted.id cross join lateral (
    select originator_version, topic, state, hash from stored_events
    where originator_id = wanted.id
        and originator_version >= greatest(wanted.version, coalesce(latest.originator_version + 1, 0))
    order by originator_version offset 0) as e
"""
"""The newest snapshot of this code and the events after it; of an aggregate that is cached at a version, the events
from that version on.

Fenced subqueries probe an index for each id: a join read all 10,000 events of a stream for its last one. `(select %s)`
hides the length of an array from the planner, which else plans again for each execution, because it takes a plan for
one id for cheaper than the kept one, for ten: 0.3 of 0.6 ms.
"""
LOAD = f"with {WANTED} {ROWS} order by 1, 2"


def load(
    connection: Connection[Any], ids: Iterable[UUID], cached: Mapping[UUID, History] = NOTHING
) -> dict[UUID, History]:
    """The existing aggregates of these ids, in one query that reads the newest snapshot of this code and the events
    after it. Of a `cached` history it reads the events from its version on, and applies them to the aggregate in it."""
    with connection.cursor(binary=True) as cursor:
        rows = cursor.execute(LOAD, parameters(ids, cached), prepare=True).fetchall()
    return continued(connection, rows, cached)


def parameters(ids: Iterable[UUID], cached: Mapping[UUID, History]) -> dict[str, Any]:
    """The parameters of WANTED; version 0 is of an aggregate that is not cached."""
    wanted = list(ids)
    versions = [cached[id_].aggregate.version if id_ in cached else 0 for id_ in wanted]
    return {"aggregates": wanted, "versions": versions, "code": of_all_aggregates()}


def continued(connection: Connection[Any], rows: Iterable[Row], cached: Mapping[UUID, History]) -> dict[UUID, History]:
    """The aggregates in the rows of ROWS, in order of id and version.

    A cached history is continued if the store has its last event, with the same hash, which covers all events before
    it. Else, as after the restore of a backup, the aggregate is loaded as if it were not cached.
    """
    histories: dict[UUID, History] = {}
    for id_, version, topic, state, hash_ in rows:
        history, before = histories.get(id_), cached.get(id_)
        if history is None and before is not None:
            if (version, hash_) == (before.aggregate.version, before.hash):
                histories[id_] = before
            continue
        event = mapper.to_domain_event(StoredEvent(id_, version, topic, state))
        taken = history.snapshot_version if history else version if topic == AggregateSnapshot.TOPIC else 0
        histories[id_] = History(event.mutate(history and history.aggregate), hash_, taken)
    lost = cached.keys() - histories.keys()
    return {**histories, **load(connection, lost)} if lost else histories


VERSIONS = """
select originator_id, max(originator_version) from stored_events where originator_id = any(%s) group by originator_id
"""


def versions(connection: Connection[Any], ids: Iterable[UUID]) -> dict[UUID, int]:
    """The versions of the existing aggregates among these."""
    return dict(connection.execute(VERSIONS, (list(ids),)).fetchall())


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
    rows = connection.execute(OF_KIND, {"topic": topic_of(created), "after": after, "limit": limit})
    return [row[0] for row in rows]
