"""The table of messages that the broker refused and of those that wait for them, as the active relay uses it.

Only the active relay writes and sends these rows, in the thread that publishes the windows: a key either has rows here
or its messages are sent directly, never both. People delete rows or make them due (room `parked`).
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from prometheus_client import Counter, Gauge
from psycopg import Connection

from ordersaga.envelope.message import COLUMNS
from ordersaga.relay.window import Outgoing, outgoing, page_of
from ordersaga.runtime.backoff import Backoff
from ordersaga.runtime.logs import log

KINDS = ("nacked", "returned", "too_large", "waits")
MAX_ROWS = 10_000
"""With this number of rows a relay stops publishing: the broker is at fault, not a few messages."""
RELOAD_SECONDS = 1.0
"""Seconds between two reads of the due rows, while there are rows; people may have changed them."""

MESSAGE = ", ".join(COLUMNS)
BACKOFF = Backoff(first=1.0, longest=300.0, jitter=0.5)

# `waits` is due as soon as it is the first of its key.
HEADS = """
select message_id, key, kind = 'waits' or coalesce(next_attempt_at <= now(), false) from (
    select distinct on (key) message_id, key, kind, next_attempt_at, position from undeliverable order by key, position)
order by position
"""
COUNTS = "select kind, count(*) from undeliverable group by kind"
ROWS = page_of("undeliverable", "message_id = any(%(ids)s)")
RECORD = f"""
insert into undeliverable (position, {MESSAGE}, kind, reason, attempts, next_attempt_at)
select position, {MESSAGE}, kind, reason, case kind when 'waits' then 0 else 1 end,
    case when kind in ('nacked', 'returned') then now() + {BACKOFF.as_sql("1")} end
from unnest(%s::bigint[], %s::text[], %s::text[]) as refused (position, kind, reason) join outbox using (position)
order by position
on conflict (message_id) do nothing returning message_id
"""  # noqa: S608 - constants
REFUSED_AGAIN = f"""
update undeliverable set kind = %(kind)s, reason = %(reason)s, attempts = attempts + 1,
    next_attempt_at = case when %(kind)s <> 'too_large' then now() + {BACKOFF.as_sql("(attempts + 1)")} end
where message_id = %(id)s returning attempts
"""  # noqa: S608 - constants
DELIVERED = """
with gone as (delete from undeliverable where message_id = any(%(ids)s))
select following.* from unnest(%(keys)s::text[], %(positions)s::bigint[]) as delivered (key, position)
cross join lateral (
    select message_id, key, kind = 'waits' or coalesce(next_attempt_at <= now(), false) from undeliverable as mine
    where mine.key = delivered.key and mine.position > delivered.position order by mine.position limit 1) as following
"""

rows_now = Gauge(
    "ordersaga_relay_undeliverable_messages",
    "Refused messages and those that wait for them",
    ["database", "kind"],
)
refusals = Counter("ordersaga_relay_messages_refused_total", "Attempts that the broker refused", ["database", "kind"])


class RefusedRow(NamedTuple):
    """A row that the broker refused, or that waits for one (`waits`)."""

    row: Outgoing
    kind: str
    reason: str


class Undeliverable:
    """The rows of one database, while one relay leads."""

    def __init__(self, database: str, connection: Connection[Any]) -> None:
        self.keys: set[str] = set()
        """Keys with rows: their messages are not sent directly."""
        self.count = 0
        self._database = database
        self._connection = connection
        self._log = log.bind(database=database)
        self._due: deque[UUID] = deque()
        self._reload_at = 0.0
        self._reload(busy=lambda _: False)

    @property
    def is_full(self) -> bool:
        return self.count >= MAX_ROWS

    @property
    def has_room(self) -> bool:
        """Below nine tenths of MAX_ROWS, so that a relay that stopped does not stop again at once."""
        return self.count < 0.9 * MAX_ROWS

    def record(self, refused: Sequence[RefusedRow]) -> None:
        """Copy each row into the table, once; from then on the messages of its key go through the table."""
        columns = [[each.row.position for each in refused], [r.kind for r in refused], [r.reason for r in refused]]
        new = {id_ for (id_,) in self._connection.execute(RECORD, columns)}
        self.count += len(new)
        self.keys.update(each.row.message.key for each in refused)
        for row, kind, reason in refused:
            if row.message.id in new:
                rows_now.labels(self._database, kind).inc()
                self._log_refusal(row, kind, reason)

    def _log_refusal(self, row: Outgoing, kind: str, reason: str) -> None:
        if kind != "waits":
            refusals.labels(self._database, kind).inc()
            message = row.message
            about = {"message_id": str(message.id), "contract": message.contract, "key": message.key}
            self._log.error("undeliverable: its key waits, see `parked list`", kind=kind, reason=reason, **about)

    def refused_again(self, refused: RefusedRow) -> None:
        """Postpone the next attempt, unless a person has skipped the message meanwhile."""
        row, kind, reason = refused
        parameters = {"id": row.message.id, "kind": kind, "reason": reason}
        attempts = self._connection.execute(REFUSED_AGAIN, parameters).fetchone()
        if attempts == (1,):
            self._log_refusal(row, kind, reason)
        else:
            refusals.labels(self._database, kind).inc()

    def delivered(self, rows: Sequence[Outgoing]) -> None:
        """Delete rows that the broker has confirmed; the next rows of the same keys may be due at once."""
        messages = [row.message for row in rows]
        keys = [message.key for message in messages]
        ids, positions = [message.id for message in messages], [row.position for row in rows]
        parameters = {"ids": ids, "keys": keys, "positions": positions}
        following = self._connection.execute(DELIVERED, parameters, binary=True).fetchall()
        self.count = max(0, self.count - len(rows))
        self._due.extendleft(id_ for id_, _, due in following if due)
        self.keys.difference_update(set(keys) - {key for _, key, _ in following})
        if not self.keys:
            self._reload(busy=lambda _: False)
            self._log.info("no message is undeliverable any more")

    def due(self, busy: Callable[[str], bool], at_most: int, largest: int, budget: int) -> list[Outgoing]:
        """The first rows of their keys that are due, without busy keys.

        Args:
            at_most: rows.
            largest, budget: bytes of one body and of all, as `page_of` takes them.
        """
        if not self._due and self.keys and time.monotonic() >= self._reload_at:
            self._reload(busy)
        ids = [self._due.popleft() for _ in range(min(at_most, len(self._due)))]
        if not ids:
            return []
        parameters = {"ids": ids, "largest": largest, "budget": budget}
        rows = [outgoing(row) for row in self._connection.execute(ROWS, parameters, binary=True)]
        if rows:
            read = {row.message.id for row in rows}
            self._due.extendleft(id_ for id_ in reversed(ids) if id_ not in read)
        return [row for row in rows if not busy(row.message.key)]

    def _reload(self, busy: Callable[[str], bool]) -> None:
        heads = self._connection.execute(HEADS).fetchall()
        self.keys = {key for _, key, _ in heads}
        self._due = deque(id_ for id_, key, due in heads if due and not busy(key))
        counts = dict(self._connection.execute(COUNTS).fetchall())
        self.count = sum(counts.values())
        self._reload_at = time.monotonic() + RELOAD_SECONDS
        for kind in KINDS:
            rows_now.labels(self._database, kind).set(counts.get(kind, 0))

    def clear_gauges(self) -> None:
        """Set the gauges to 0: another relay may lead now."""
        for kind in KINDS:
            rows_now.labels(self._database, kind).set(0)
