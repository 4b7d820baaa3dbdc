"""The table of messages that could not be handled, each with all later messages of its key behind it, in order."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID
from zlib import crc32

from psycopg import Connection
from psycopg.types.json import Jsonb

from ordersaga.inbox.delivery import Delivery, ForeignSource, KeyMismatch, UnknownContract
from ordersaga.inbox.forks import ForkedHistory
from ordersaga.inbox.headers import as_json, storable
from ordersaga.runtime.backoff import Backoff
from ordersaga.runtime.errors import AlreadyReceived, Failure

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
UNKNOWN = UnknownContract.__name__
"""The error of a message that waits for a worker that knows its contract: no other worker tries it."""
OF_ANOTHER = (ForkedHistory.__name__, ForeignSource.__name__, KeyMismatch.__name__)
"""The errors of messages whose `ce-id` is another message's."""
ANNOUNCED_ID = f"""
case when error <> all(array{list(OF_ANOTHER)!r}) and pg_input_is_valid(headers ->> 'ce-id', 'uuid')
    then (headers ->> 'ce-id')::uuid else message_id end
"""
"""The id in the outbox of its source: a message that cannot be read is parked under another id."""
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
    """Until the next attempt; None: none by itself, a person or a worker that knows the contract decides."""
    operation: str = ""
    """What its outside step waits for, as `resource/operation`: no attempt while that is not to be called."""
    called: bool = True
    """Whether its outside step may have been called."""


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
select message_id, case when headers ->> 'ce-eventhash' ~* '^[0-9a-f]{64}$'
    then decode(headers ->> 'ce-eventhash', 'hex') else '' end
from parked_messages where message_id = any(%s)
"""


def hashes(connection: Connection[Any], ids: Iterable[UUID]) -> dict[UUID, bytes]:
    """The parked ones among these messages: message id -> hash of the event that it announces, empty without one."""
    return dict(connection.execute(HASHES, (list(ids),)).fetchall())


APPEND = """
insert into parked_messages (message_id, key, contract, routing_key, headers, body, state, error, place, message,
    traceback, attempts, next_attempt_at, failed_at, operation, called)
select id, key, contract, routing_key, headers, body, state, error, place, message, traceback, attempts, now() + pause,
    case when state <> 'waiting' then now() end, operation, called
from unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::jsonb[], %s::bytea[], %s::text[], %s::text[],
    %s::text[], %s::text[], %s::text[], %s::smallint[], %s::interval[], %s::text[], %s::boolean[]) with ordinality
    as entry (id, key, contract, routing_key, headers, body, state, error, place, message, traceback, attempts,
        pause, operation, called, number)
order by number
on conflict (message_id) do nothing returning message_id
"""


def append(connection: Connection[Any], entries: Sequence[NewlyParked]) -> None:
    """Park messages in this order.

    Raises:
        AlreadyReceived: another consumer parked one of these ids first; look at the table again.
    """
    if not entries:
        return
    rows = [
        (e.id, clean(e.key), clean(e.contract), clean(e.delivery.routing_key), Jsonb(as_json(e.delivery.headers)))
        + (e.delivery.body, e.state, *map(clean, e.failure), e.attempts, e.pause, e.operation, e.called)
        for e in entries
    ]
    appended = connection.execute(APPEND, list(map(list, zip(*rows, strict=True)))).rowcount
    if appended < len(entries):
        raise AlreadyReceived("another consumer parked one of these messages first")


FOLLOWED = """
update parked_messages set operation = '' where operation <> '' and position in (
    select min(position) from parked_messages where key = any(%s) group by key)
"""


def let_first_decide(connection: Connection[Any], keys: Iterable[str]) -> None:
    """Have the first message of each key decided about again although its operation is not called: what has come
    behind it may spare it the call."""
    connection.execute(FOLLOWED, (list(keys),))


def clean(text: str | None) -> str | None:
    return None if text is None else storable(text)
