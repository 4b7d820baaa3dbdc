"""Republish: writes the messages of recorded events to the outbox again, for a broker that lost them.

The messages are derived from the event store, so purged outbox rows do not matter, and they have the same ids, so
consumers that received them drop them. They go through the outbox and not straight to the broker: the relay keeps
their order, awaits the confirms and survives restarts of both servers. Only the trace is missing; no event stores it.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from eventsourcing.persistence import StoredEvent
from psycopg import Connection

from ordersaga.envelope.message import Cause, Message
from ordersaga.store import flush
from ordersaga.store.announcements import Announcements
from ordersaga.store.flush import Rows
from ordersaga.store.topics import UNREADABLE, mapper

BATCH = 1000
"""Events of one transaction: few, so that the relay publishes while the rest is being read."""

COUNT = "select count(*) from stored_events where %(since)s::timestamptz is null or recorded_at >= %(since)s"
EVENTS = """
select originator_id, originator_version, topic, state, hash, correlation_id, causation_id, actor
from stored_events where %(since)s::timestamptz is null or recorded_at >= %(since)s
order by position
"""


def count_events(store: Connection[Any], since: datetime | None) -> int:
    """The number of events that `announce_again` reads."""
    row = store.execute(COUNT, {"since": since}).fetchone()
    assert row is not None
    return int(row[0])


def raise_value_error(text: str) -> None:
    raise ValueError(text)


def announce_again(
    store: Connection[Any],
    outbox: Connection[Any],
    announcements: Announcements,
    since: datetime | None = None,
    key: str | None = None,
    unreadable: Callable[[str], None] = raise_value_error,
) -> Iterator[tuple[int, int]]:
    """Write the messages of all events, of those recorded since a time, or of one key.

    Yields, after each batch, the number of events read and of messages written. It needs two connections to one
    database, `outbox` in autocommit; an interrupted run may be repeated. `unreadable` is called with a description of
    each event that cannot be announced; the events after it are.

    Raises:
        ValueError: an event cannot be announced, and `unreadable` is not given.
    """
    with store.transaction(), store.cursor("announce_again", binary=True) as cursor:
        cursor.itersize = BATCH
        cursor.execute(EVENTS, {"since": since})
        while events := list(islice(cursor, BATCH)):
            found = readable(announcements, events, unreadable)
            chosen = [message for message in found if key is None or message.key == key]
            flush.write(outbox, Rows(messages=list(chosen)))
            yield len(events), len(chosen)


def readable(
    announcements: Announcements, events: Iterable[tuple[Any, ...]], unreadable: Callable[[str], None]
) -> Iterator[Message]:
    for event in events:
        try:
            yield from list(messages(announcements, *event))
        except UNREADABLE as error:
            id_, version, topic, *_ = event
            unreadable(f"{topic}, version {version} of {id_}: {error!r}")


def messages(announcements: Announcements, *event: Any) -> Iterator[Message]:
    """The messages of one stored event; an event without a correlation id was recorded without announcements."""
    id_, version, topic, state, hash_, correlation_id, causation_id, actor = event
    if correlation_id is not None:
        cause = Cause(correlation_id, causation_id, actor)
        domain_event = mapper.to_domain_event(StoredEvent(id_, version, topic, state))
        yield from announcements.messages(domain_event, hash_, cause)
