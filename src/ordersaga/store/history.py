"""History: an aggregate at an earlier version or time, and its recorded events."""

import json
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from eventsourcing.domain import BaseAggregate
from eventsourcing.persistence import StoredEvent
from psycopg import Connection

from ordersaga.store.topics import mapper

LOAD_AS_OF = """
select originator_version, topic, state from stored_events
where originator_id = %(id)s
  and (%(version)s::bigint is null or originator_version <= %(version)s)
  and (%(time)s::timestamptz is null or originator_version < coalesce(
      (select min(originator_version) from stored_events where originator_id = %(id)s and recorded_at > %(time)s),
      9223372036854775807))
order by originator_version
"""


def load_as_of(
    connection: Connection[Any], id_: UUID, version: int | None = None, time: datetime | None = None
) -> BaseAggregate[UUID] | None:
    """The aggregate at a version or a time; None when it did not exist.

    A time includes the events before the first one recorded later: `recorded_at` is the start of a transaction, so a
    later version may have an earlier time.
    """
    aggregate: BaseAggregate[UUID] | None = None
    with connection.cursor(binary=True) as cursor:
        for number, topic, state in cursor.execute(LOAD_AS_OF, {"id": id_, "version": version, "time": time}):
            aggregate = mapper.to_domain_event(StoredEvent(id_, number, topic, state)).mutate(aggregate)
    return aggregate


def fields(aggregate: Any) -> dict[str, Any] | None:
    """The version and the public fields of an aggregate as JSON values; None without an aggregate."""
    if aggregate is None:
        return None
    public = {name: value for name, value in vars(aggregate).items() if not name.startswith("_")}
    plain: dict[str, Any] = json.loads(json.dumps({"version": aggregate.version, **public}, default=as_text))
    return plain


def as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


EVENTS = """
select originator_version, topic, state, recorded_at, actor from stored_events
where originator_id = %s order by originator_version
"""
ENVELOPE = ("originator_id", "originator_version", "originator_topic", "timestamp")


class RecordedEvent(NamedTuple):
    """One event in readable form."""

    version: int
    topic: str
    time: datetime
    actor: str
    data: dict[str, Any]


def events_of(connection: Connection[Any], id_: UUID) -> list[RecordedEvent]:
    """The recorded events of the aggregate, oldest first."""
    events = []
    with connection.cursor(binary=True) as cursor:
        for version, topic, state, time, actor in cursor.execute(EVENTS, (id_,)):
            event = mapper.to_domain_event(StoredEvent(id_, version, topic, state))
            data = {name: value for name, value in vars(event).items() if name not in ENVELOPE}
            events.append(RecordedEvent(version, topic, time, actor, data))
    return events
