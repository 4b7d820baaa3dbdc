"""Messages that could not be handled, and behind each of them all later ones of the same key, in order."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID
from zlib import crc32

from psycopg import Connection
from psycopg.types.json import Jsonb

from ordersaga.inbox.delivery import Delivery
from ordersaga.runtime.backoff import Backoff
from ordersaga.runtime.errors import Failure

ATTEMPTS = 21
"""After so many a message is dead and waits for a person.

Between them are pauses of at most 1, 2, 4 .. 256 s and eleven of 300 s, 3,811 s together, and of no less than half of
that: so an outage of 31 minutes, say of what an outside step asks, makes nothing dead.
"""
DEATHS = 8
"""Attempts after which a message is dead if none of them ended: each may have killed a process."""
SUSPECT = "Suspect"
"""The error of a message none of whose attempts has ended."""
BASE = timedelta(seconds=1)
BACKOFF = Backoff(first=BASE.total_seconds(), longest=300.0, jitter=0.5)
KEY_LOCKS = 1
"""Advisory locks of two integers, so that they never meet those of aggregates, which are one bigint."""


class Entry(NamedTuple):
    """A message to be parked."""

    id: UUID
    key: str | None
    contract: str | None
    delivery: Delivery
    state: str
    failure: Failure = Failure("", "", "", "")
    attempts: int = 0
    pause: timedelta | None = None
    """Until the next attempt; None: no attempt of its own accord."""


def pause_after(attempts: int) -> timedelta:
    return timedelta(seconds=BACKOFF.seconds(attempts))


LOCK = "select pg_advisory_xact_lock(%s, key) from unnest(%s::int[]) as wanted (key)"


def lock(connection: Connection[Any], keys: Iterable[str | None]) -> None:
    """Hold the queues of these keys until the transaction ends, in an order that cannot deadlock.

    A message must not be parked behind one that is just leaving (nobody would wake it), nor be handled before one
    that is still there. Whoever parks and whoever removes holds this lock, also across processes; a consumer whose
    keys are not parked, which is nearly always, does not need it: what it sees gone has been committed.
    """
    hashed = sorted({crc32(key.encode()) - 2**31 for key in keys if key is not None})
    if hashed:
        connection.execute(LOCK, (KEY_LOCKS, hashed))


AMONG = """
select key from unnest(%s::text[]) as wanted (key)
where exists (select from parked_messages where parked_messages.key = wanted.key)
"""


def parked_among(connection: Connection[Any], keys: Iterable[str]) -> set[str]:
    return {row[0] for row in connection.execute(AMONG, (list(set(keys)),))}


HASHES = """
select message_id, decode(headers ->> 'ce-eventhash', 'hex') from parked_messages
where message_id = any(%s) and headers ->> 'ce-eventhash' ~ '^([0-9a-f]{2})+$'
"""


def hashes(connection: Connection[Any], ids: Iterable[UUID]) -> dict[UUID, bytes]:
    """Those of these messages that are parked, with the hash of the event that each announces."""
    return dict(connection.execute(HASHES, (list(ids),)).fetchall())


APPEND = """
insert into parked_messages (message_id, key, contract, routing_key, headers, body, state, error, place, message,
    traceback, attempts, next_attempt_at)
select id, key, contract, routing_key, headers, body, state, error, place, message, traceback, attempts, now() + pause
from unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::jsonb[], %s::bytea[], %s::text[], %s::text[],
    %s::text[], %s::text[], %s::text[], %s::smallint[], %s::interval[]) with ordinality
    as entry (id, key, contract, routing_key, headers, body, state, error, place, message, traceback, attempts,
        pause, number)
order by number
on conflict (message_id) do nothing
"""


def append(connection: Connection[Any], entries: Sequence[Entry]) -> None:
    """Park messages in this order; one that is parked already stays as it is."""
    rows = [
        (e.id, clean(e.key), clean(e.contract), clean(e.delivery.routing_key), jsonb(e.delivery.headers))
        + (e.delivery.body, e.state, *map(clean, e.failure), e.attempts, e.pause)
        for e in entries
    ]
    connection.execute(APPEND, list(map(list, zip(*rows, strict=True))))


def clean(text: str | None) -> str | None:
    """Postgres keeps neither NUL nor half a surrogate pair in text."""
    return text and text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def jsonb(headers: Mapping[str, Any]) -> Jsonb:
    return Jsonb(cleaned(headers))


def cleaned(value: Any) -> Any:
    """An AMQP table as JSON: what JSON has no word for (times, bytes, decimals) becomes text."""
    match value:
        case Mapping():
            return {clean(str(name)): cleaned(part) for name, part in value.items()}
        case list():
            return [cleaned(part) for part in value]
        case None | bool() | int():
            return value
        case _:
            return clean(str(value))
