"""The table of messages that could not be handled, each with all later messages of its key behind it, in order."""

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

MAX_ATTEMPTS = 21
"""After this number of attempts a message is dead and waits for a person.

The pauses are at most 1, 2, 4 .. 256 s and eleven times 300 s, 3,811 s together, and at least half of that: an outage
of 31 minutes, for example of a system that an outside step calls, makes no message dead.
"""
MAX_INTERRUPTED_ATTEMPTS = 8
"""After this number of attempts a message is dead if none of them ended: each may have killed a process."""
SUSPECT = "Suspect"
"""The error of a message without a completed attempt."""
BASE = timedelta(seconds=1)
BACKOFF = Backoff(first=BASE.total_seconds(), longest=300.0, jitter=0.5)
KEY_LOCKS = 1
"""First of the two integers of an advisory lock; locks on aggregates are one bigint, so they never collide."""


class NewlyParked(NamedTuple):
    """A message to be parked."""

    id: UUID
    key: str | None
    contract: str | None
    delivery: Delivery
    state: str
    failure: Failure = Failure("", "", "", "")
    attempts: int = 0
    pause: timedelta | None = None
    """Until the next attempt; None: a person decides."""


def pause_after(attempts: int) -> timedelta:
    """Until the next attempt, after so many failed."""
    return timedelta(seconds=BACKOFF.seconds(attempts))


LOCK = "select pg_advisory_xact_lock(%s, key) from unnest(%s::int[]) as wanted (key)"


def lock(connection: Connection[Any], keys: Iterable[str | None]) -> None:
    """Lock the queues of these keys until the transaction ends, in an order that cannot deadlock.

    A message must not be parked behind one that another transaction removes (nothing would release it), nor be handled
    before one that is still parked. Every transaction that parks or removes messages takes this lock. A consumer whose
    keys are not parked, the usual case, does not: a message that it no longer sees is removed and committed.
    """
    hashed = sorted({crc32(key.encode()) - 2**31 for key in keys if key is not None})
    if hashed:
        connection.execute(LOCK, (KEY_LOCKS, hashed))


AMONG = """
select key from unnest(%s::text[]) as wanted (key)
where exists (select from parked_messages where parked_messages.key = wanted.key)
"""


def parked_among(connection: Connection[Any], keys: Iterable[str]) -> set[str]:
    """The keys among these that have parked messages."""
    return {row[0] for row in connection.execute(AMONG, (list(set(keys)),))}


HASHES = """
select message_id, decode(headers ->> 'ce-eventhash', 'hex') from parked_messages
where message_id = any(%s) and headers ->> 'ce-eventhash' ~ '^([0-9a-f]{2})+$'
"""


def hashes(connection: Connection[Any], ids: Iterable[UUID]) -> dict[UUID, bytes]:
    """The parked ones among these messages: message id -> hash of the event that it announces."""
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


def append(connection: Connection[Any], entries: Sequence[NewlyParked]) -> None:
    """Park messages in this order; a message that is parked already is left as it is."""
    rows = [
        (e.id, clean(e.key), clean(e.contract), clean(e.delivery.routing_key), jsonb(e.delivery.headers))
        + (e.delivery.body, e.state, *map(clean, e.failure), e.attempts, e.pause)
        for e in entries
    ]
    connection.execute(APPEND, list(map(list, zip(*rows, strict=True))))


def clean(text: str | None) -> str | None:
    """Replace what Postgres text cannot hold: NUL, and half a surrogate pair."""
    return text and text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def jsonb(headers: Mapping[str, Any]) -> Jsonb:
    return Jsonb(cleaned(headers))


def cleaned(value: Any) -> Any:
    """An AMQP table as JSON; times, bytes and decimals become text."""
    match value:
        case Mapping():
            return {clean(str(name)): cleaned(part) for name, part in value.items()}
        case list():
            return [cleaned(part) for part in value]
        case None | bool() | int():
            return value
        case _:
            return clean(str(value))
