"""Event-sourced aggregates to and from rows: mapping, explicit topics, hash chain, snapshots."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast
from uuid import UUID

from eventsourcing.domain import AggregateCreated, BaseAggregate, CanMutateAggregate, Snapshot
from eventsourcing.persistence import DatetimeAsISO, JSONTranscoder, Mapper, StoredEvent, UUIDAsHex
from eventsourcing.utils import _topic_cache, register_topic
from psycopg import Connection

from messaging.message import Cause

GENESIS = bytes(32)
SNAPSHOT_EVERY = 100
"""Events between snapshots of one aggregate; a load reads one snapshot and at most this many events."""


class UnknownTopic(LookupError):
    """A stored event names a topic that no aggregate of this service has registered."""


class AggregateSnapshot(Snapshot):
    """The library's snapshot under an explicit topic."""

    TOPIC = "aggregate.snapshot"


register_topic(AggregateSnapshot.TOPIC, AggregateSnapshot)


class EventRow(NamedTuple):
    """One event as it will stand in stored_events."""

    stored: StoredEvent
    cause: Cause
    hash: bytes


@dataclass(slots=True)
class History:
    """An aggregate as loaded, with the hash its next event continues from."""

    aggregate: BaseAggregate[UUID]
    hash: bytes


class TopicMapper(Mapper[UUID]):
    """Maps only topics that are registered: a row never decides what is imported."""

    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        if "." not in stored_event.topic:
            raise UnknownTopic(f"{stored_event.topic!r} is not the topic of an event, such as 'loan.begun'")
        require_topic(stored_event.topic)
        event = super().to_domain_event(stored_event)
        if isinstance(event, AggregateCreated):
            require_topic(event.originator_topic)
        elif isinstance(event, AggregateSnapshot):
            require_topic(event.topic)
        return event


def require_topic(topic: str) -> None:
    """Raises UnknownTopic unless a class has claimed the topic with TOPIC.

    Looks into the library's table, because `resolve_topic` imports the module that an unknown topic names.
    """
    if getattr(_topic_cache.get(topic), "TOPIC", None) != topic:
        raise UnknownTopic(f"a stored event names topic {topic!r}, which no aggregate here has registered")


def make_mapper() -> TopicMapper:
    transcoder = JSONTranscoder()
    transcoder.register(UUIDAsHex())
    transcoder.register(DatetimeAsISO())
    return TopicMapper(transcoder)


mapper = make_mapper()
UNREADABLE = (LookupError, ValueError, TypeError, AttributeError)
"""What a stored event raises, on its way to an event and its announcements, that no code here can make sense of."""


def chain(previous: bytes, stored: StoredEvent, cause: Cause) -> bytes:
    """SHA-256 over the previous hash of the stream and the event's canonical bytes, length-prefixed."""
    digest = hashlib.sha256(previous)
    for part in (
        str(stored.originator_id).encode(),
        str(stored.originator_version).encode(),
        stored.topic.encode(),
        stored.state,
        str(cause.correlation_id).encode(),
        str(cause.causation_id or "").encode(),
        cause.actor.encode(),
    ):
        digest.update(len(part).to_bytes(4, "big"))
        digest.update(part)
    return digest.digest()


def record(events: Sequence[CanMutateAggregate[UUID]], previous: bytes, cause: Cause) -> Iterator[EventRow]:
    """Rows for new events of one stream, each hash continuing the one before."""
    for event in events:
        stored = mapper.to_stored_event(cast(Any, event))
        previous = chain(previous, stored, cause)
        yield EventRow(stored, cause, previous)


def snapshot_of(aggregate: BaseAggregate[UUID]) -> StoredEvent:
    return mapper.to_stored_event(cast(Any, AggregateSnapshot.take(aggregate)))


LOAD = """
with latest as (
    select distinct on (originator_id) originator_id, originator_version, topic, state, hash
    from snapshots where originator_id = any(%(ids)s::uuid[])
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
    """The aggregates that exist among the ids, in one query: newest snapshot and the events after it."""
    histories: dict[UUID, History] = {}
    with connection.cursor(binary=True) as cursor:
        for originator_id, version, topic, state, hash_ in cursor.execute(LOAD, {"ids": list(ids)}):
            event = mapper.to_domain_event(StoredEvent(originator_id, version, topic, state))
            history = histories.get(originator_id)
            histories[originator_id] = History(event.mutate(history and history.aggregate), hash_)
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
    """Ids of the aggregates that began with this event, oldest first, at most `limit`, those behind `after`."""
    topic: str = getattr(created, "TOPIC")  # noqa: B009 - not declared on the library's base class
    rows = connection.execute(OF_KIND, {"topic": topic, "after": after, "limit": limit})
    return [row[0] for row in rows]
