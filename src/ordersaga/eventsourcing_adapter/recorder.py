"""Recorders for applications of the eventsourcing library, on the tables of the event store and the outbox."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg
from eventsourcing import persistence
from eventsourcing.persistence import AggregateRecorder, ApplicationRecorder, Mapper, Notification, StoredEvent
from psycopg import Connection
from psycopg_pool import ConnectionPool

from ordersaga.envelope.message import Cause
from ordersaga.eventsourcing_adapter.settled import head_and_writers, settled_end, unbroken_end
from ordersaga.eventsourcing_adapter.subscription import PollingSubscription
from ordersaga.store import flush
from ordersaga.store.aggregates import NewEventRow
from ordersaga.store.announcements import Announcements
from ordersaga.store.hash_chain import GENESIS, chain
from ordersaga.store.topics import mapper as default_mapper

SELECT = """
select originator_id, originator_version, topic, state from {table}
where originator_id = %(id)s and (%(gt)s::bigint is null or originator_version > %(gt)s)
    and (%(lte)s::bigint is null or originator_version <= %(lte)s)
order by originator_version {direction} limit %(limit)s
"""


@contextmanager
def connected(pool: ConnectionPool[Connection[Any]]) -> Iterator[Connection[Any]]:
    """A connection of the pool; errors of psycopg become those of eventsourcing, which have the same names."""
    try:
        with pool.connection() as connection:
            yield connection
    except psycopg.Error as error:
        names = [kind.__name__ for kind in type(error).__mro__ if hasattr(persistence, kind.__name__)]
        raise getattr(persistence, names[0])(str(error)) from error


class StreamRecorder(AggregateRecorder):
    """Streams of events with their hash chain; takes no table lock and sends no NOTIFY."""

    table = "stored_events"

    def __init__(
        self,
        pool: ConnectionPool[Connection[Any]],
        announcements: Announcements | None = None,
        mapper: Mapper[Any] = default_mapper,
    ) -> None:
        """With `announcements`, the statement that inserts events also inserts the messages that announce them."""
        self.pool = pool
        self.announcements = announcements
        self.mapper = mapper

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Record events caused by `cause=`; without it they share a new correlation id."""
        self.record(stored_events, kwargs.get("cause") or Cause(uuid4()))
        return None

    def record(self, stored_events: Sequence[StoredEvent], cause: Cause) -> list[int]:
        """Positions in the order of the events.

        Raises:
            IntegrityError: a version exists, or is not the next one of its stream; nothing was recorded.
        """
        if not stored_events:
            return []
        with connected(self.pool) as connection:
            rows = list(chained(connection, stored_events, cause))
            tables = {"messages": list(self.announced(rows)), "events": rows}
            filled = {table: of_table for table, of_table in tables.items() if of_table}
            return [position for (position,) in flush.insert(connection, filled)]

    def announced(self, rows: list[NewEventRow]) -> Iterator[Any]:
        if self.announcements:
            for row in rows:
                yield from self.announcements.messages(self.mapper.to_domain_event(row.stored), row.hash, row.cause)

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> list[StoredEvent]:
        wanted = {"id": originator_id, "gt": gt, "lte": lte, "limit": limit}
        with connected(self.pool) as connection:
            statement = SELECT.format(table=self.table, direction="desc" if desc else "asc")
            return [StoredEvent(*row) for row in connection.execute(statement, wanted, prepare=True)]


HEADS = """
select originator_id, originator_version, hash
from unnest(%s::uuid[]) as wanted (id) cross join lateral (
    select originator_id, originator_version, hash from stored_events
    where originator_id = wanted.id order by originator_version desc limit 1) as head
"""


def chained(connection: Connection[Any], stored_events: Sequence[StoredEvent], cause: Cause) -> Iterator[NewEventRow]:
    """The events, of one stream or several, each with the hash that continues its stream."""
    ids = list({event.originator_id for event in stored_events})
    heads = {str(id_): (version, hash_) for id_, version, hash_ in connection.execute(HEADS, (ids,), prepare=True)}
    for event in stored_events:
        id_, version = str(event.originator_id), event.originator_version
        last, previous = heads.get(id_, (version - 1, GENESIS))
        if version != last + 1:
            raise persistence.IntegrityError(f"{id_} is at version {last}, so {version} cannot be recorded")
        heads[id_] = version, chain(previous, event, cause)
        yield NewEventRow(event, cause, heads[id_][1])


PAGE = """
select originator_id, originator_version, topic, state, position from stored_events
where position > %(after)s and position <= %(end)s and (%(topics)s::text[] is null or topic = any(%(topics)s))
order by position limit %(limit)s
"""


class OutboxRecorder(StreamRecorder, ApplicationRecorder):
    """Streams of events in one sequence: the position of an event is its notification id.

    Notification ids have gaps, and the ids of concurrent transactions interleave; a reader in order of id still
    misses no event.
    """

    settle_seconds = 1.0
    """How long a read waits for an active writer before it returns only the events before that writer's gap."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> list[int]:
        return self.record(stored_events, kwargs.get("cause") or Cause(uuid4()))

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> list[Notification]:
        after = 0 if start is None else start - inclusive_of_start
        with connected(self.pool) as connection:
            end = settled_end(connection, self.settle_seconds)
            if end is None:
                end = unbroken_end(connection, after, limit)
            end = end if stop is None else min(stop, end)
            wanted = {"after": after, "end": end, "topics": list(topics) or None, "limit": limit}
            return [Notification(*row) for row in connection.execute(PAGE, wanted, prepare=True)]

    def max_notification_id(self) -> int | None:
        """The id of the last event, once every event with a lower id is visible."""
        with connected(self.pool) as connection:
            return settled_end(connection, self.settle_seconds) or head_and_writers(connection)[0] or None

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> PollingSubscription:
        return PollingSubscription(self, gt, topics)
