"""What is parked, as a person looks at it: groups of one failure, their messages, one message with all about it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row, dict_row

from ordersaga.parked.operations import UnknownMessage

FAILURE = "left(md5(error || E'\\n' || place), 8)"
"""The name of a failure group: the same exception raised in the same place."""


@dataclass(frozen=True)
class FailureGroup:
    """An exception and the place that raised it; without an error: not tried yet as the first of their key."""

    failure: str
    error: str
    place: str
    messages: int
    dead: int
    keys: int
    """Held up by these messages."""
    followers: int
    """Messages that wait behind these."""
    oldest: datetime
    first: UUID


GROUPS = f"""
with heads as (
    select min(position) as position, count(*) filter (where state = 'waiting') as followers
    from parked_messages where key is not null group by key
)
select {FAILURE} as failure, error, place, count(*) as messages, count(*) filter (where state = 'dead') as dead,
    count(distinct key) as keys, coalesce(sum(followers), 0)::bigint as followers, min(parked_at) as oldest,
    (array_agg(message_id order by position))[1] as first
from parked_messages left join heads using (position)
where state <> 'waiting' group by error, place order by oldest
"""  # noqa: S608 - a constant


def failure_groups(connection: Connection[Any]) -> list[FailureGroup]:
    """Oldest first."""
    with connection.cursor(row_factory=class_row(FailureGroup)) as cursor:
        return cursor.execute(GROUPS).fetchall()


FAILED = f"""
select position, message_id from parked_messages
where state <> 'waiting' and position > %(after)s and (%(failure)s::text is null or {FAILURE} = %(failure)s)
order by position limit %(limit)s
"""  # noqa: S608 - a constant


def failed_batch(
    connection: Connection[Any], failure: str | None, after: int, limit: int | None
) -> list[tuple[int, UUID]]:
    """Position and id of the first messages behind a position that failed, of one failure group or of all."""
    return connection.execute(FAILED, {"failure": failure, "after": after, "limit": limit}).fetchall()


def failed(connection: Connection[Any], failure: str | None = None) -> list[UUID]:
    """Every message that failed, of one failure group or of all, in the order in which they were parked."""
    return [message_id for _, message_id in failed_batch(connection, failure, 0, None)]


MESSAGES = f"""
select position, message_id, contract, key, state, attempts, {FAILURE} as failure, error, place, message, parked_at,
    next_attempt_at, edits
from parked_messages
where position > %(after)s and (%(failure)s::text is null or {FAILURE} = %(failure)s)
    and (%(state)s::text is null or state = %(state)s) and (%(key)s::text is null or key = %(key)s)
order by position limit %(limit)s
"""  # noqa: S608 - a constant


def messages(
    connection: Connection[Any],
    failure: str | None,
    limit: int,
    state: str | None = None,
    key: str | None = None,
    after: int = 0,
) -> list[dict[str, Any]]:
    """The first messages behind a position, those that wait among them."""
    wanted = {"failure": failure, "limit": limit, "state": state, "key": key, "after": after}
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(MESSAGES, wanted).fetchall()


ONE = f"select *, {FAILURE} as failure from parked_messages where message_id = %s"  # noqa: S608 - a constant
OF_KEY = """
select message_id, state, position < %(position)s as before from parked_messages
where key = %(key)s and position <> %(position)s order by position limit 1000
"""
ACTIONS = """
select position, message_id, action, actor, reason, acted_at, state, attempts, error, place from parked_actions
where (%(message_id)s::uuid is null or message_id = %(message_id)s)
    and (%(before)s::bigint is null or position < %(before)s)
order by position desc limit %(limit)s
"""


def actions(
    connection: Connection[Any], message_id: UUID | None = None, limit: int = 1000, before: int | None = None
) -> list[dict[str, Any]]:
    """What people have done, to one message or to any, also to those that have left; the newest first."""
    wanted = {"message_id": message_id, "limit": limit, "before": before}
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(ACTIONS, wanted).fetchall()


def is_parked(connection: Connection[Any], message_id: UUID) -> bool:
    return connection.execute("select from parked_messages where message_id = %s", (message_id,)).fetchone() is not None


def show(connection: Connection[Any], message_id: UUID) -> dict[str, Any]:
    """All columns, and `before`, `followers` (ids in order, a thousand at most) and `actions`.

    Raises:
        UnknownMessage: it is not parked here.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(ONE, (message_id,)).fetchone()
        if found is None:
            raise UnknownMessage(f"message {message_id} is not parked here")
        of_key = cursor.execute(OF_KEY, found).fetchall()
        found["before"] = [other["message_id"] for other in of_key if other["before"]]
        found["followers"] = [other["message_id"] for other in of_key if not other["before"]]
    found["actions"] = actions(connection, message_id)
    return found
