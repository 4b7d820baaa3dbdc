"""The table of detached queues: those that give no answer, and how far each is published."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from psycopg import Connection

from ordersaga.broker.topology import EVENTS, group_of, side_exchange_of
from ordersaga.database.snapshot_window import unseen
from ordersaga.envelope.message import PARTITIONS, Message
from ordersaga.relay.window import Cursor

STRANGERS = EVENTS
"""In place of a queue's name: one that is bound to `events` and belongs to no group of the application."""


@dataclass(frozen=True, slots=True)
class Detached:
    """A queue that gives no answer, or gave none: messages of its partitions do not go to `events`.

    First the queue lacks messages. When it has them all, only queues of other applications lack some, which are bound
    to `events`: the relay cannot see whether there are any.
    """

    queue: str
    audience: Literal["queue", "others"]
    partitions: frozenset[int]
    since: datetime

    @property
    def group(self) -> str | None:
        """The group that lacks messages; None when only others lack some."""
        return group_of(self.queue) if self.audience == "queue" else None

    @property
    def exchange(self) -> str:
        """The exchange through which its audience gets what it lacks."""
        return side_exchange_of(self.group) if self.group else EVENTS

    def concerns(self, message: Message) -> bool:
        """Whether the message is of its partitions."""
        return message.partition in self.partitions

    def waits_for(self, other: "Detached") -> bool:
        """Whether the others get nothing through `events` before the audience of another row has everything.

        A message to `events` would reach a queue that gives no answer, or come before those that the others lack since
        an earlier row.
        """
        if self.group or not self.partitions & other.partitions:
            return False
        return other.group is not None or (other.since, other.queue) < (self.since, self.queue)

    def __str__(self) -> str:
        since = f"since {self.since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC: only its messages wait"
        if self.queue == STRANGERS:
            return f"a queue that is bound to `events` and belongs to no group gives no answer {since}"
        if self.audience == "others":
            return f"queues of no group lack what was published while {self.queue} gave no answer"
        return f"queue {self.queue} gives no answer {since}"


def partitions_of(queue: str, queues: int) -> frozenset[int]:
    """The partitions of `<group>.<number>`, in a group of so many queues."""
    number = int(queue.rpartition(".")[2])
    return frozenset(range(number, PARTITIONS, queues))


ALL = frozenset(range(PARTITIONS))

LOAD = """
select queue, audience, partitions, since from detached_queues order by queue
"""
KEPT = f"select count(*) from ({unseen('position', 'outbox')}) as kept"  # noqa: S608 - constants
LACKED_FROM = "select lacked_from::text from detached_queues where queue = %s"
CURSOR = """
select published::text, target::text, confirmed_position from detached_queues where queue = %s and audience = %s
"""

# The queue has every message that went to `events`. It lacks the undeliverable ones: when the broker takes one, it goes
# to the other queues alone, and its row is deleted. So the queue begins before the oldest undeliverable message.
DETACH = """
with oldest as (select xid from outbox join undeliverable using (position) order by xid limit 1),
start as (
    select (select least(xid, pg_snapshot_xmin(published)) from oldest) as earlier,
        published, target, confirmed_position from relay_cursor)
insert into detached_queues (queue, audience, partitions, lacked_from, published, target, confirmed_position)
select %(queue)s, %(audience)s, %(partitions)s, from_, from_,
    case when earlier is null then target end, case when earlier is null then confirmed_position end
from start, lateral (
    select coalesce((earlier::text || ':' || earlier::text || ':')::pg_snapshot, published)) as begin (from_)
on conflict (queue) do update set audience = excluded.audience,
    partitions = array(select distinct unnest(detached_queues.partitions || excluded.partitions)),
    published = excluded.published, target = excluded.target, confirmed_position = excluded.confirmed_position
where detached_queues.audience = 'others' and excluded.audience = 'queue'
"""
HAS_ALL = """
update detached_queues set audience = 'others', published = lacked_from, target = null, confirmed_position = null
where queue = %s and audience = 'queue'
"""
ATTACH = "delete from detached_queues where queue = %s and audience = 'others'"
MOVE = """
update detached_queues set published = %s, target = %s, confirmed_position = %s
where queue = %s and audience = %s
"""

# A row that was purged has no transaction any more: nobody can catch it up.
PASSED = """
select asked.position from unnest(%s::bigint[]) as asked (position) left join outbox using (position)
where exists (
    select from detached_queues where queue = any(%s) and (
        outbox.xid is null or pg_visible_in_snapshot(outbox.xid, published)
        or outbox.position <= confirmed_position and pg_visible_in_snapshot(outbox.xid, target)))
"""


def load(connection: Connection[Any]) -> list[Detached]:
    """The detached queues of a database."""
    return [
        Detached(queue, audience, frozenset(partitions), since)
        for queue, audience, partitions, since in connection.execute(LOAD)
    ]


def kept_rows(connection: Connection[Any], row: Detached) -> int:
    """Rows of the outbox that were committed since the queue is detached, and stay until all have them."""
    found = connection.execute(LACKED_FROM, (row.queue,)).fetchone()
    [(number,)] = connection.execute(KEPT, {"since": found[0] if found else None})
    return int(number)


def cursor_of(connection: Connection[Any], row: Detached) -> Cursor | None:
    """How far the audience is published; None when its row is gone, or has another audience."""
    found = connection.execute(CURSOR, (row.queue, row.audience)).fetchone()
    return Cursor(*found) if found else None


def detach(connection: Connection[Any], queue: str, partitions: Iterable[int]) -> None:
    """Publish around a queue from the next row on."""
    audience = "others" if queue == STRANGERS else "queue"
    connection.execute(DETACH, {"queue": queue, "audience": audience, "partitions": sorted(partitions)})


def attach(connection: Connection[Any], row: Detached) -> None:
    """Record that the audience has every message that the cursor has passed, and that no window is open."""
    connection.execute(HAS_ALL if row.audience == "queue" else ATTACH, (row.queue,))


def move(connection: Connection[Any], row: Detached, cursor: Cursor) -> None:
    """Record how far the audience is published."""
    place = (cursor.published, cursor.target, cursor.confirmed_position)
    connection.execute(MOVE, (*place, row.queue, row.audience))


def passed(connection: Connection[Any], rows: Iterable[Detached], positions: Sequence[int]) -> set[int]:
    """Those of these undeliverable rows that one of the audiences would miss, if the others got them now."""
    return {position for (position,) in connection.execute(PASSED, (positions, [row.queue for row in rows]))}
