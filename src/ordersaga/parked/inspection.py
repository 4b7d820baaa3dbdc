"""Inspection of parked messages: failure groups, one message in full, and the actions of people."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row, dict_row

from ordersaga.database.readable_time import READABLE_TIME
from ordersaga.envelope.message import COLUMNS, from_row, to_headers
from ordersaga.parked.operator import UnknownMessage
from ordersaga.parked.refused_by import REFUSED_BY, RefusedBy, statement


@dataclass(frozen=True)
class FailureGroup:
    """Messages of one contract with the same error in the same function; without an error: not tried yet as the first
    of their key.

    A reaction's error is an exception, its place the line that raised the newest of them. The broker's error is
    `nacked`, `returned` or `too_large`, or what the relay found before it sent the message: `foreign_source`, `invalid`
    or `unknown_contract`; its place is the contract.
    """

    refused_by: RefusedBy
    failure: str
    contract: str | None
    """None when the messages do not say it."""
    error: str
    place: str
    messages: int
    dead: int
    keys: int
    """Keys that these messages block."""
    followers: int
    """Messages that wait behind these."""
    oldest: datetime
    first: UUID
    last_seen: datetime
    """When a message last failed so."""
    note: str = ""
    owner: str = ""
    link: str = ""
    """Of http or https, or empty."""
    held_since: datetime | None = None
    """None: it is not on hold."""
    held_by: str | None = None
    held_reason: str | None = None
    run: int | None = None
    """The run that retries its messages now."""


GROUPS = """
with parked as materialized (
    select position, message_id, contract, key, state, error, place, parked_at, last_failed_at from {rows}
),
heads as (
    select min(position) as position, count(*) filter (where state = 'waiting') as followers
    from parked where key is not null group by key
),
found as (
select %(refused_by)s::text as refused_by, {failure} as failure, contract, error,
    (array_agg(place order by position desc))[1] as place, count(*) as messages,
    count(*) filter (where state = 'dead') as dead, count(distinct key) as keys,
    coalesce(sum(followers), 0)::bigint as followers, min(parked_at) as oldest,
    (array_agg(message_id order by position))[1] as first, max(last_failed_at) as last_failed_at
from parked left join heads using (position)
where state <> 'waiting' group by 2, contract, error
)
select found.refused_by, found.failure, found.contract, found.error, found.place, messages, dead, keys, followers,
    oldest, found.first, greatest(last_failed_at, last_seen) as last_seen, coalesce(note, '') as note,
    coalesce(owner, '') as owner, coalesce(link, '') as link, held_since, held_by, held_reason
from found left join failure_notes on failure_notes.failure = found.failure
"""


RUNS = "select failure, run from retry_runs where state = 'running' and failure is not null"


def failure_groups(connection: Connection[Any]) -> list[FailureGroup]:
    """Oldest first."""
    found: list[FailureGroup] = []
    with connection.cursor(row_factory=class_row(FailureGroup)) as cursor:
        for by in REFUSED_BY:
            found += cursor.execute(statement(GROUPS, by), {"refused_by": by})
    runs = dict(connection.execute(RUNS).fetchall()) if found else {}
    return sorted((replace(each, run=runs.get(each.failure)) for each in found), key=lambda group: group.oldest)


PARKED = "select message_id from {rows} where message_id = any(%s)"


def still_parked(connection: Connection[Any], by: RefusedBy, ids: list[UUID]) -> set[UUID]:
    """The parked ones among these messages."""
    return {id_ for (id_,) in connection.execute(statement(PARKED, by), (ids,))}


def refusals(connection: Connection[Any], message_id: UUID) -> list[RefusedBy]:
    """Who refused this message: nobody, one, or both, if one of its queues accepted it and another did not."""
    return [by for by in REFUSED_BY if still_parked(connection, by, [message_id])]


SUMMARY = (
    "select message_id, state, attempts, error, place, message from {rows} where message_id = %s order by position"
)


def summary(connection: Connection[Any], message_id: UUID, by: RefusedBy) -> dict[str, Any]:
    """The state and failure of one message. Raises UnknownMessage."""
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(statement(SUMMARY, by), (message_id,)).fetchone()
    if found is None:
        raise UnknownMessage(f"message {message_id} is not parked here")
    return {"refused_by": by, **found}


ACTIONS = """
select position, message_id, refused_by, action, actor, reason, acted_at, state, attempts, error, place
from parked_actions
where (%(message_id)s::uuid is null or message_id = %(message_id)s)
    and (%(before)s::bigint is null or position < %(before)s)
order by position desc limit %(limit)s
"""


def actions(
    connection: Connection[Any], message_id: UUID | None = None, limit: int = 1000, before: int | None = None
) -> list[dict[str, Any]]:
    """The actions of people on one message or on all, newest first; they outlive the parked messages."""
    wanted = {"message_id": message_id, "limit": limit, "before": before}
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(ACTIONS, wanted).fetchall()


ONE = "select *, {failure} as failure, {on_hold} as on_hold from {rows} where message_id = %s order by position"
OF_KEY = """
select message_id, position < %(position)s as before from {rows}
where key = %(key)s and position <> %(position)s order by position limit 1000
"""
ENVELOPE = f"""
select {", ".join(READABLE_TIME if column == "time" else column for column in COLUMNS)}
from undeliverable where position = %s
"""  # noqa: S608 - a constant


def show(connection: Connection[Any], message_id: UUID, refused_by: RefusedBy | None = None) -> dict[str, Any]:
    """All columns, and `refused_by`, `before`, `followers` (ids in order, a thousand at most) and `actions`.

    Raises:
        UnknownMessage: it is not parked here.
    """
    for by in [refused_by] if refused_by else REFUSED_BY:
        with connection.cursor(row_factory=dict_row) as cursor:
            found = cursor.execute(statement(ONE, by), (message_id,)).fetchone()
            if found is None:
                continue
            of_key = cursor.execute(statement(OF_KEY, by), found).fetchall()
        found["refused_by"] = by
        found["before"] = [other["message_id"] for other in of_key if other["before"]]
        found["followers"] = [other["message_id"] for other in of_key if not other["before"]]
        found["actions"] = actions(connection, message_id)
        return found if by == "reaction" else with_envelope(connection, found)
    raise UnknownMessage(f"message {message_id} is not parked here")


def with_envelope(connection: Connection[Any], found: dict[str, Any]) -> dict[str, Any]:
    """The headers and the routing key that the relay publishes a message with."""
    row = connection.execute(ENVELOPE, (found["position"],)).fetchone()
    if row is None:
        raise UnknownMessage(f"message {found['message_id']} is not parked here")
    message = from_row(row)
    return {**found, "headers": to_headers(message), "routing_key": message.routing_key}
