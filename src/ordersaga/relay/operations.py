"""What people see of undeliverable messages, and what they do about them; only the active relay publishes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row


class UnknownMessage(LookupError):
    """No message of this id is undeliverable: it may have been taken meanwhile."""


class Operator(NamedTuple):
    """Who does it and why."""

    actor: str
    reason: str


@dataclass(frozen=True)
class Row:
    """One undeliverable message, or one that waits behind such a one."""

    message_id: UUID
    contract: str
    key: str
    kind: str
    reason: str
    attempts: int
    next_attempt_at: datetime | None
    refused_at: datetime
    bytes: int


@dataclass(frozen=True)
class Selection:
    """Which keys to try again: those of these messages, this key, those refused for this reason, or all."""

    messages: Sequence[UUID] = ()
    key: str | None = None
    kind: str | None = None
    everything: bool = False


LIST = """
select message_id, contract, key, kind, reason, attempts, next_attempt_at, refused_at, octet_length(body) as bytes
from undeliverable order by position limit %s
"""


def undeliverable(connection: Connection[Any], limit: int) -> list[Row]:
    """The oldest by position; those of one key are in order."""
    with connection.cursor(row_factory=class_row(Row)) as cursor:
        return cursor.execute(LIST, (limit,)).fetchall()


# The first of a key is what is tried; what waits behind it follows by itself.
REDRIVE = """
with chosen as (
    select distinct key from undeliverable
    where %(everything)s or message_id = any(%(messages)s) or key = %(key)s or kind = %(kind)s),
first as (
    select mine.* from chosen cross join lateral (
        select * from undeliverable where key = chosen.key order by position limit 1) as mine),
noted as (
    insert into undeliverable_actions (action, message_id, key, contract, actor, reason, kind, refusal, attempts,
        correlation_id)
    select 'redrive', message_id, key, contract, %(actor)s, %(why)s, kind, reason, attempts, correlation_id from first)
update undeliverable as u set attempts = 0, next_attempt_at = now()
from first where u.message_id = first.message_id returning u.message_id
"""


def redrive(connection: Connection[Any], selection: Selection, operator: Operator) -> list[UUID]:
    """Make the first message of each chosen key due now, with its attempts anew. Returns these messages."""
    parameters = {
        "everything": selection.everything,
        "messages": list(selection.messages),
        "key": selection.key,
        "kind": selection.kind,
        "actor": operator.actor,
        "why": operator.reason,
    }
    return [id_ for (id_,) in connection.execute(REDRIVE, parameters)]


DISCARD = """
with gone as (delete from undeliverable where message_id = %(id)s returning *)
insert into undeliverable_actions (action, message_id, key, contract, actor, reason, kind, refusal, attempts, body,
    correlation_id)
select 'discard', message_id, key, contract, %(actor)s, %(why)s, kind, reason, attempts, body, correlation_id from gone
returning message_id
"""


def discard(connection: Connection[Any], message_id: UUID, operator: Operator) -> None:
    """It is not published, and what waits behind it goes on.

    Raises:
        UnknownMessage: it is not undeliverable.
    """
    parameters = {"id": message_id, "actor": operator.actor, "why": operator.reason}
    if connection.execute(DISCARD, parameters).fetchone() is None:
        raise UnknownMessage(f"message {message_id} is not undeliverable here")


STILL_THERE = "select message_id, reason, attempts from undeliverable where message_id = any(%s) order by position"


def still_there(connection: Connection[Any], messages: Sequence[UUID]) -> list[tuple[UUID, str, int]]:
    """Those of these messages that the broker has not taken yet: id, reason, attempts."""
    return connection.execute(STILL_THERE, (list(messages),)).fetchall()
