"""The table of messages that the broker or the relay refused, and of those that wait for them.

Only the active relay writes and sends these rows, in the thread that publishes the windows: a key either has rows here
or its messages are sent directly, never both. People delete rows or make them due (room `parked`).
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from prometheus_client import Counter, Gauge
from psycopg import Connection

from ordersaga.envelope.limits import MAX_CONTRACT, MAX_KEY
from ordersaga.envelope.message import COLUMNS
from ordersaga.parked import failure_notes
from ordersaga.parked.refused_by import failure_of, on_hold
from ordersaga.relay.window import Outgoing, outgoing, page_of
from ordersaga.runtime.backoff import Backoff
from ordersaga.runtime.logs import log

RETRIED = ("nacked", "returned", "unknown_contract")
"""Kinds that may pass by themselves: the broker takes the message, or a newer version of the relay knows it."""
KINDS = (*RETRIED, "too_large", "foreign_source", "invalid", "waits")
MAX_ROWS = 10_000
"""With this number of rows a relay stops publishing: the broker is at fault, not a few messages."""
RELOAD_SECONDS = 1.0
"""Seconds between two reads of the due rows, while there are rows; people may have changed them."""

MESSAGE = ", ".join(COLUMNS)
BACKOFF = Backoff(first=1.0, longest=300.0, jitter=0.5)

ON_HOLD = on_hold(failure_of("kind", "contract", "contract"))
"""The kind is the error, the contract is the place."""
# `waits` is due as soon as it is the first of its key.
IS_DUE = f"(kind = 'waits' or coalesce(next_attempt_at <= now(), false)) and not {ON_HOLD}"
HEADS = f"""
select position, key, {IS_DUE} from (
    select distinct on (left(key, 512), key) key, kind, contract, held, next_attempt_at, position
    from undeliverable order by left(key, 512), key, position) as heads
order by position
"""  # noqa: S608 - a constant
COUNTS = "select kind, count(*) from undeliverable group by kind"
ROWS = page_of("undeliverable", "position = any(%(positions)s)")
# A copy of a message that is recorded already is dropped. Another message with the same id is not: whatever claims an
# id must not make the message vanish that has it.
RECORD = f"""
insert into undeliverable (position, {MESSAGE}, kind, reason, attempts, next_attempt_at)
select position, {MESSAGE}, kind, reason, case kind when 'waits' then 0 else 1 end,
    case when kind in {RETRIED} then now() + {BACKOFF.as_sql("1")} end
from unnest(%s::bigint[], %s::text[], %s::text[]) as refused (position, kind, reason) join outbox using (position)
where not exists (
    select from undeliverable as kept where kept.message_id = outbox.message_id
        and (kept.contract, kept.source, kept.key, kept.event_hash, kept.body)
            = (outbox.contract, outbox.source, outbox.key, outbox.event_hash, outbox.body))
order by position
on conflict (position) do nothing returning position
"""  # noqa: S608 - constants
REFUSED_AGAIN = f"""
update undeliverable set kind = %(kind)s, reason = %(reason)s, attempts = attempts + 1,
    next_attempt_at = case when %(kind)s in {RETRIED} then now() + {BACKOFF.as_sql("(attempts + 1)")} end,
    held = nullif(held, false)
where position = %(position)s returning attempts
"""  # noqa: S608 - constants
DELIVERED = f"""
with gone as (delete from undeliverable where position = any(%(positions)s))
select following.* from unnest(%(keys)s::text[], %(positions)s::bigint[]) as delivered (key, position)
cross join lateral (
    select mine.position, mine.key, {IS_DUE}
    from undeliverable as mine
    where left(mine.key, 512) = left(delivered.key, 512) and mine.key = delivered.key
        and mine.position > delivered.position
    order by mine.position limit 1) as following
"""  # noqa: S608 - a constant

# Of these, some may never be sent, and the others wait for them.
NEVER_SENT = """
select mine.position from undeliverable as mine where mine.position = any(%s) and exists (
    select from undeliverable as first
    where left(first.key, 512) = left(mine.key, 512) and first.key = mine.key and first.position <= mine.position
        and first.kind not in ('nacked', 'waits'))
"""
KNOWN_NOW = """
update undeliverable set next_attempt_at = now()
where kind = 'unknown_contract' and contract = any(%s) and next_attempt_at > now()
"""

rows_now = Gauge(
    "ordersaga_relay_undeliverable_messages",
    "Refused messages and those that wait for them",
    ["database", "kind"],
)
refusals = Counter(
    "ordersaga_relay_messages_refused_total", "Attempts that the broker or the relay refused", ["database", "kind"]
)


def never_sent(connection: Connection[Any], positions: Sequence[int]) -> set[int]:
    """Those of these rows that nobody gets as they are, or that wait for one of them."""
    return {position for (position,) in connection.execute(NEVER_SENT, (positions,))}


class RefusedRow(NamedTuple):
    """A row that the broker or the relay refused, or that waits for one (`waits`)."""

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
        self._due: deque[int] = deque()
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
        new = {position for (position,) in self._connection.execute(RECORD, columns)}
        self.count += len(new)
        self.keys.update(each.row.message.key for each in refused)
        for row, kind, reason in refused:
            if row.position in new:
                rows_now.labels(self._database, kind).inc()
                self._log_refusal(row, kind, reason)
        for kind, contract in {(kind, row.message.contract) for row, kind, _ in refused if kind != "waits"}:
            failure_notes.seen(self._connection, kind, contract, contract)

    def _log_refusal(self, row: Outgoing, kind: str, reason: str) -> None:
        if kind != "waits":
            refusals.labels(self._database, kind).inc()
            message = row.message
            about = {
                "message_id": str(message.id),
                "contract": message.contract[:MAX_CONTRACT],
                "key": message.key[:MAX_KEY],
            }
            self._log.error("undeliverable: its key waits, see `parked list`", kind=kind, reason=reason, **about)

    def refused_again(self, refused: RefusedRow) -> None:
        """Postpone the next attempt, unless a person has skipped the message meanwhile."""
        row, kind, reason = refused
        parameters = {"position": row.position, "kind": kind, "reason": reason}
        attempts = self._connection.execute(REFUSED_AGAIN, parameters).fetchone()
        failure_notes.seen(self._connection, kind, row.message.contract, row.message.contract)
        if attempts == (1,):
            self._log_refusal(row, kind, reason)
        else:
            refusals.labels(self._database, kind).inc()

    def delivered(self, rows: Sequence[Outgoing]) -> None:
        """Delete rows that the broker has confirmed; the next rows of the same keys may be due at once."""
        keys = [row.message.key for row in rows]
        parameters = {"keys": keys, "positions": [row.position for row in rows]}
        following = self._connection.execute(DELIVERED, parameters, binary=True).fetchall()
        self.count = max(0, self.count - len(rows))
        self._due.extendleft(position for position, _, due in following if due)
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
        positions = [self._due.popleft() for _ in range(min(at_most, len(self._due)))]
        if not positions:
            return []
        parameters = {"positions": positions, "largest": largest, "budget": budget}
        rows = [outgoing(row) for row in self._connection.execute(ROWS, parameters, binary=True)]
        if rows:
            read = {row.position for row in rows}
            self._due.extendleft(position for position in reversed(positions) if position not in read)
        return [row for row in rows if not busy(row.message.key)]

    def _reload(self, busy: Callable[[str], bool]) -> None:
        heads = self._connection.execute(HEADS).fetchall()
        self.keys = {key for _, key, _ in heads}
        self._due = deque(position for position, key, due in heads if due and not busy(key))
        counts = dict(self._connection.execute(COUNTS).fetchall())
        self.count = sum(counts.values())
        self._reload_at = time.monotonic() + RELOAD_SECONDS
        for kind in KINDS:
            rows_now.labels(self._database, kind).set(counts.get(kind, 0))

    def make_due(self, contracts: Iterable[str]) -> None:
        """Try again what only an older version of the relay did not know."""
        self._connection.execute(KNOWN_NOW, (list(contracts),))
        self._reload(busy=lambda _: False)

    def clear_gauges(self) -> None:
        """Set the gauges to 0: another relay may lead now."""
        for kind in KINDS:
            rows_now.labels(self._database, kind).set(0)
