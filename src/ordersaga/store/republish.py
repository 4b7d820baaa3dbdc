"""Announcing again: the messages of recorded events once more in the outbox, for a broker that lost them.

They are derived from the event store, so they are there even when their rows were trimmed, and have the same ids, so
whoever has them drops them. They go through the outbox and not straight to the broker: the relay keeps their order,
takes the confirms and outlives both servers. Only the caller's trace is missing, which no event keeps.
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
"""Events of one transaction: small, so that the relay publishes while the rest is still being read."""

COUNT = "select count(*) from stored_events where %(since)s::timestamptz is null or recorded_at >= %(since)s"
EVENTS = """
select originator_id, originator_version, topic, state, hash, correlation_id, causation_id, actor
from stored_events where %(since)s::timestamptz is null or recorded_at >= %(since)s
order by position
"""


def count_events(store: Connection[Any], since: datetime | None) -> int:
    """How many events `announce_again` will read."""
    row = store.execute(COUNT, {"since": since}).fetchone()
    assert row is not None
    return int(row[0])


def never(text: str) -> None:
    raise ValueError(text)


def announce_again(
    store: Connection[Any],
    outbox: Connection[Any],
    announcements: Announcements,
    since: datetime | None = None,
    key: str | None = None,
    unreadable: Callable[[str], None] = never,
) -> Iterator[tuple[int, int]]:
    """Write the messages of all events, or of those recorded since a time, or those of one key.

    Yields, after each batch, how many events it read and how many messages it wrote. Two connections to one
    database, `outbox` in autocommit; an interrupted one may be begun again. `unreadable` is told of an event that
    cannot be announced again; those after it are.

    Raises:
        ValueError: there is such an event and nobody to be told.
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
    """What announces one stored event; one without a correlation id was recorded without announcements."""
    id_, version, topic, state, hash_, correlation_id, causation_id, actor = event
    if correlation_id is not None:
        cause = Cause(correlation_id, causation_id, actor)
        domain_event = mapper.to_domain_event(StoredEvent(id_, version, topic, state))
        yield from announcements.messages(domain_event, hash_, cause)
