"""Attempts at parked messages: claimed and counted before they are made, then ended one way or another."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from ordersaga.inbox.delivery import Delivery
from ordersaga.parked import parked
from ordersaga.parked.parked import clean
from ordersaga.runtime.errors import Failure

LEASE = timedelta(seconds=60)
"""How long an attempt may take before another process may begin the next; outside steps are far shorter."""


class Parked(NamedTuple):
    """One row of parked_messages, as the retries need it."""

    position: int
    message_id: UUID
    key: str | None
    contract: str | None
    routing_key: str
    headers: dict[str, Any]
    body: bytes
    state: str
    attempts: int
    edits: int
    """Counted, so that an attempt at the body before an edit cannot end the message."""
    did_not_end: bool = False
    """The attempt before this one was not brought to an end: it may have killed the process."""

    @property
    def delivery(self) -> Delivery:
        return Delivery(0, self.routing_key, self.headers, self.body)


COLUMNS = "position, message_id, key, contract, routing_key, headers, body, state, attempts, edits"

CLAIM = f"""
with due as (
    select position as due_position, tried_at is not null as did_not_end,
        case when error = %(suspect)s then least(%(deaths)s, %(attempts)s) else %(attempts)s end as most
    from parked_messages
    where state = 'retrying' and next_attempt_at <= now() and (tried_at is null or %(alone)s)
    order by next_attempt_at limit 1 for update skip locked
)
update parked_messages set
    attempts = attempts + (attempts < most)::int,
    state = case when attempts < most then 'retrying' else 'dead' end,
    next_attempt_at = case when attempts < most then now() + %(lease)s end,
    tried_at = case when attempts < most then now() end
from due where position = due_position
returning {COLUMNS}, did_not_end
"""  # noqa: S608 - a constant


def claim(connection: Connection[Any], alone: bool) -> Parked | None:
    """A message whose next attempt is due, the attempt counted before it is made.

    So an attempt that kills the process counts too. One that did not end is repeated only when no other attempt is
    under way, lest the next death be counted against a neighbour; after the last one it comes back as dead.
    """
    most = {"attempts": parked.ATTEMPTS, "deaths": parked.DEATHS, "suspect": parked.SUSPECT}
    with connection.cursor(row_factory=class_row(Parked)) as cursor:
        return cursor.execute(CLAIM, {**most, "lease": LEASE, "alone": alone}).fetchone()


FOLLOWERS = f"""
select {COLUMNS} from parked_messages where key = %s and position > %s order by position limit %s
"""  # noqa: S608 - a constant


def followers(connection: Connection[Any], head: Parked, limit: int) -> list[Parked]:
    """What waits behind the first message of a key, in order."""
    with connection.cursor(row_factory=class_row(Parked)) as cursor:
        return cursor.execute(FOLLOWERS, (head.key, head.position, limit)).fetchall()


COUNT = "update parked_messages set attempts = attempts + 1 where position = any(%s)"


def count_attempt(connection: Connection[Any], rows: Sequence[Parked]) -> list[Parked]:
    """These are tried together with the first of their key."""
    if rows:
        connection.execute(COUNT, ([row.position for row in rows],))
    return [row._replace(attempts=row.attempts + 1) for row in rows]


STILL_OURS = """
select p.position from parked_messages p
join unnest(%s::bigint[], %s::smallint[], %s::smallint[]) as ours (position, attempts, edits)
    using (position, attempts, edits)
where p.state <> 'dead' order by p.position for update of p
"""


def still_ours(connection: Connection[Any], rows: Sequence[Parked]) -> bool:
    """Hold these rows until the transaction ends, unless another process or a person has changed them meanwhile."""
    return len(connection.execute(STILL_OURS, claims(rows)).fetchall()) == len(rows)


def claims(rows: Sequence[Parked]) -> tuple[list[int], list[int], list[int]]:
    """What has to be unchanged for these rows to be those that were claimed."""
    return [row.position for row in rows], [row.attempts for row in rows], [row.edits for row in rows]


REMOVE = "delete from parked_messages where position = any(%s)"


def remove(connection: Connection[Any], rows: Sequence[Parked]) -> None:
    connection.execute(REMOVE, ([row.position for row in rows],))


RELEASE = """
update parked_messages set state = 'retrying', next_attempt_at = now()
where state = 'waiting' and position = (select min(position) from parked_messages where key = %s)
"""


def release_next(connection: Connection[Any], key: str | None) -> None:
    """The message that has become the first of its key is due at once; a dead one keeps the others waiting."""
    if key is not None:
        connection.execute(RELEASE, (key,))


POSTPONE = """
update parked_messages set error = %(error)s, place = %(place)s, message = %(message)s, traceback = %(traceback)s,
    state = case when %(pause)s::interval is null then 'dead' else 'retrying' end, next_attempt_at = now() + %(pause)s,
    tried_at = null
where position = %(position)s and attempts = %(attempts)s and edits = %(edits)s
"""


def postpone(connection: Connection[Any], row: Parked, failure: Failure, pause: timedelta | None) -> None:
    """The attempt failed: the next one after a pause, none when it is None."""
    texts = {name: clean(text) for name, text in failure._asdict().items()}
    parameters = {**texts, "pause": pause, "position": row.position, "attempts": row.attempts, "edits": row.edits}
    connection.execute(POSTPONE, parameters)


UNCLAIM = """
update parked_messages p set attempts = p.attempts - 1, tried_at = null,
    next_attempt_at = case p.state when 'retrying' then now() end
from unnest(%s::bigint[], %s::smallint[], %s::smallint[]) as ours (position, attempts, edits)
where p.position = ours.position and p.attempts = ours.attempts and p.edits = ours.edits
"""


def unclaim(connection: Connection[Any], rows: Sequence[Parked]) -> None:
    """Attempts that were not made, because a server went away or a person stepped in, do not count."""
    connection.execute(UNCLAIM, claims(rows))


NEXT_DUE = "select extract(epoch from min(next_attempt_at) - now()) from parked_messages where state = 'retrying'"


def seconds_until_due(connection: Connection[Any]) -> float | None:
    """Until the next attempt of any message; None when there is none."""
    row = connection.execute(NEXT_DUE).fetchone()
    return None if row is None or row[0] is None else float(row[0])
