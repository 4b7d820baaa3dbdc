"""Attempts at parked messages: each is claimed and counted before it runs, then its result is recorded."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from ordersaga.inbox.delivery import Delivery
from ordersaga.parked import failure_notes, table
from ordersaga.parked.group_pause import IS_PAUSED
from ordersaga.parked.refused_by import ON_HOLD
from ordersaga.parked.table import clean
from ordersaga.runtime.errors import Failure

LEASE = timedelta(seconds=60)
"""How long an attempt may take before another process may claim the message; outside steps take far less."""


class ParkedMessage(NamedTuple):
    """One row of parked_messages, with the columns that retries need."""

    position: int
    message_id: UUID
    key: str | None
    contract: str | None
    routing_key: str
    headers: dict[str, Any]
    body: bytes
    state: str
    attempts: int
    error: str
    edits: int
    """How often a person has edited the body: an attempt at an older body must not end the message."""
    is_kept: bool
    """Whether a person holds it, or is about to act on it."""
    was_interrupted: bool = False
    """Whether the attempt before this one did not end: it may have killed the process."""
    had_called: bool = True
    """Whether its outside step may have been called before this attempt."""

    @property
    def delivery(self) -> Delivery:
        return Delivery(0, self.routing_key, self.headers, self.body, called=self.had_called)

    @property
    def claimed(self) -> dict[str, int]:
        """Position, attempts and edits: while these are unchanged, the row is still claimed."""
        return {"position": self.position, "attempts": self.attempts, "edits": self.edits}


IS_WANTED = "coalesce(wanted_until > now(), false)"
"""Whether a person is about to act on it, so that no attempt may begin."""
COLUMNS = f"""
position, message_id, key, contract, routing_key, headers, body, state, attempts, error, edits,
coalesce(held, false) or {IS_WANTED} as is_kept
"""
MAY_BE_TRIED = f"""
state = 'retrying' and (error <> %(unknown)s or contract = any(%(contracts)s))
and operation <> all(%(unready)s) and not {ON_HOLD} and not {IS_WANTED} and not {IS_PAUSED}
"""

CLAIM = f"""
with due as (
    select position as due_position, tried_at is not null as was_interrupted, called as had_called,
        case when error = %(suspect)s then least(%(deaths)s, %(attempts)s) else %(attempts)s end as most
    from parked_messages
    where {MAY_BE_TRIED} and next_attempt_at <= now() and (tried_at is null or %(alone)s)
    order by next_attempt_at limit 1 for update skip locked
)
update parked_messages set
    attempts = attempts + (attempts < most)::int,
    state = case when attempts < most then 'retrying' else 'dead' end,
    next_attempt_at = case when attempts < most then now() + %(lease)s end,
    tried_at = case when attempts < most then now() end,
    called = true
from due where position = due_position
returning {COLUMNS}, was_interrupted, had_called
"""  # noqa: S608 - a constant


def claim(
    connection: Connection[Any], alone: bool, contracts: Sequence[str] = (), unready: Sequence[str] = ()
) -> ParkedMessage | None:
    """Claim a message whose next attempt is due, and count the attempt, so that one that kills the process counts too.

    A message whose last attempt was interrupted is claimed only when `alone`, with no other attempt under way: the next
    death must not be counted against another message. After its last attempt it is returned as dead. Messages that
    wait for one of the `unready` operations stay: it is not to be called. One whose contract was unknown is claimed
    only by a worker that knows it, among its `contracts`. None is claimed that a person keeps, nor while the group is
    paused.
    """
    known = {"unknown": table.UNKNOWN, "contracts": list(contracts)}
    most = {"attempts": table.MAX_ATTEMPTS, "deaths": table.MAX_INTERRUPTED_ATTEMPTS, "suspect": table.SUSPECT}
    with connection.cursor(row_factory=class_row(ParkedMessage)) as cursor:
        limits = {"lease": LEASE, "alone": alone, "unready": list(unready)}
        return cursor.execute(CLAIM, {**most, **known, **limits}).fetchone()


FOLLOWERS = f"""
select {COLUMNS} from parked_messages where key = %s and position > %s order by position limit %s
"""  # noqa: S608 - a constant


def followers(connection: Connection[Any], head: ParkedMessage, limit: int) -> list[ParkedMessage]:
    """The messages that wait behind the first message of a key, in order."""
    with connection.cursor(row_factory=class_row(ParkedMessage)) as cursor:
        return cursor.execute(FOLLOWERS, (head.key, head.position, limit)).fetchall()


COUNT = "update parked_messages set attempts = attempts + 1 where position = any(%s)"


def count_attempt(connection: Connection[Any], rows: Sequence[ParkedMessage]) -> list[ParkedMessage]:
    """Count an attempt at messages that are tried with the first of their key. Returns the new rows."""
    if rows:
        connection.execute(COUNT, ([row.position for row in rows],))
    return [row._replace(attempts=row.attempts + 1) for row in rows]


STILL_CLAIMED = """
select p.position from parked_messages p
join unnest(%s::bigint[], %s::smallint[], %s::smallint[]) as claimed (position, attempts, edits)
    using (position, attempts, edits)
where p.state <> 'dead' order by p.position for update of p
"""


def still_claimed(connection: Connection[Any], rows: Sequence[ParkedMessage]) -> bool:
    """Lock these rows until the transaction ends. Returns False if another process or a person has changed one."""
    return len(connection.execute(STILL_CLAIMED, claims(rows)).fetchall()) == len(rows)


def claims(rows: Sequence[ParkedMessage]) -> tuple[list[int], list[int], list[int]]:
    """Position, attempts and edits of rows, as columns."""
    return [row.position for row in rows], [row.attempts for row in rows], [row.edits for row in rows]


REMOVE = "delete from parked_messages where position = any(%s)"


def remove(connection: Connection[Any], rows: Sequence[ParkedMessage]) -> None:
    """Delete messages that took effect or were skipped."""
    connection.execute(REMOVE, ([row.position for row in rows],))


RELEASE = """
update parked_messages set state = 'retrying', next_attempt_at = now()
where state = 'waiting' and position = (select min(position) from parked_messages where key = %s)
"""


def release_first(connection: Connection[Any], key: str | None) -> None:
    """Make the first message of a key due if it was waiting; a dead one keeps the others waiting."""
    if key is not None:
        connection.execute(RELEASE, (key,))


POSTPONE = """
update parked_messages set error = %(error)s, place = %(place)s, message = %(message)s, traceback = %(traceback)s,
    state = case when %(pause)s::interval is null then 'dead' else 'retrying' end,
    next_attempt_at = now() + %(pause)s, tried_at = null, operation = %(operation)s,
    failed_at = now(), held = nullif(held, false)
where position = %(position)s and attempts = %(attempts)s and edits = %(edits)s
"""


def postpone(
    connection: Connection[Any], row: ParkedMessage, failure: Failure, pause: timedelta | None, operation: str = ""
) -> None:
    """Record a failed attempt. The next one is due after the pause, and once the operation that its outside step wants
    may be called; without a pause the message is dead."""
    texts = {name: clean(text) for name, text in failure._asdict().items()}
    connection.execute(POSTPONE, {**row.claimed, **texts, "pause": pause, "operation": operation})
    failure_notes.seen(connection, failure.error, row.contract, failure.place)


RELEASE_CLAIMS = """
update parked_messages p set attempts = p.attempts - 1, tried_at = null,
    next_attempt_at = case p.state when 'retrying' then now() end
from unnest(%s::bigint[], %s::smallint[], %s::smallint[]) as claimed (position, attempts, edits)
where p.position = claimed.position and p.attempts = claimed.attempts and p.edits = claimed.edits
"""


def release_claims(connection: Connection[Any], rows: Sequence[ParkedMessage]) -> None:
    """Take back attempts that did not run, because a server went away or a person acted on the message."""
    connection.execute(RELEASE_CLAIMS, claims(rows))


RELEASE_UNCALLED = """
update parked_messages p set attempts = p.attempts - 1, next_attempt_at = case p.state when 'retrying' then now() end,
    tried_at = null, called = %(called)s, operation = case when exists (
        select from parked_messages f where f.key = p.key and f.position > p.position and f.parked_at > p.tried_at)
        then '' else %(operation)s end
where position = %(position)s and attempts = %(attempts)s and edits = %(edits)s
"""


def release_uncalled(connection: Connection[Any], row: ParkedMessage, operation: str, called: bool) -> None:
    """Take back an attempt whose outside step was not called; it waits for the operation, unless another message has
    come behind it since: then it is decided about again."""
    connection.execute(RELEASE_UNCALLED, {**row.claimed, "operation": operation, "called": called})


AWAIT_CONTRACT = """
update parked_messages set error = %(error)s, place = %(place)s, message = %(message)s, traceback = %(traceback)s,
    attempts = attempts - 1, next_attempt_at = null, tried_at = null, failed_at = now(), held = nullif(held, false)
where position = %(position)s and attempts = %(attempts)s and edits = %(edits)s
"""


def await_contract(connection: Connection[Any], row: ParkedMessage, failure: Failure) -> None:
    """Keep a message of an unknown contract, with all behind it, until a worker runs that knows the contract.

    The attempt does not count: its reaction did not run.
    """
    texts = {name: clean(text) for name, text in failure._asdict().items()}
    connection.execute(AWAIT_CONTRACT, {**row.claimed, **texts})


RELEASE_KNOWN = f"""
update parked_messages set next_attempt_at = now()
where state = 'retrying' and next_attempt_at is null and error = %s and contract = any(%s) and not {ON_HOLD}
"""  # noqa: S608 - a constant


def release_known(connection: Connection[Any], contracts: Sequence[str]) -> None:
    """Make the messages due whose contract was unknown and is among these."""
    connection.execute(RELEASE_KNOWN, (table.UNKNOWN, list(contracts)))


NEXT_DUE = f"""
select extract(epoch from min(next_attempt_at) - now()) from parked_messages where {MAY_BE_TRIED}
"""  # noqa: S608 - a constant


def seconds_until_due(
    connection: Connection[Any], contracts: Sequence[str] = (), unready: Sequence[str] = ()
) -> float | None:
    """Seconds until the next attempt of any message that `claim` would give; None when there is none."""
    wanted = {"unknown": table.UNKNOWN, "contracts": list(contracts), "unready": list(unready)}
    row = connection.execute(NEXT_DUE, wanted).fetchone()
    return None if row is None or row[0] is None else float(row[0])
