"""Where messages stand, each place as a stream sorted by message id."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any
from uuid import UUID

from psycopg import Connection

from devstack.processes import READ_SIDE
from devstack.reconcile.row import Row
from devstack.reconcile.snapshots import Snapshots, rows

OUTBOX = """
select message_id, 'outbox', %(database)s::text, time, contract, key, event_hash from outbox
where %(key)s::text is null or key = %(key)s order by message_id
"""
EVENT_LOG = """
select message_id, 'event_log', %(database)s::text, received_at, contract, key, event_hash from event_log
where %(key)s::text is null or key = %(key)s order by message_id
"""
PARKED = """
select message_id, 'parked_messages', %(database)s::text, parked_at, contract, key, null::bytea,
    concat_ws(', ', state, nullif(attempts, 0) || ' attempts', nullif(concat_ws(': ', nullif(error, ''),
        nullif(left(message, 200), '')), ''))
from parked_messages where %(key)s::text is null or key = %(key)s order by message_id
"""
UNDELIVERABLE = """
select message_id, 'undeliverable', %(database)s::text, refused_at, contract, key, event_hash, kind || ': ' || reason
from undeliverable where %(key)s::text is null or key = %(key)s order by message_id
"""
# A skipped fork, or an unreadable message, has an id of its own, which nobody announced.
INBOX = """
select message_id, 'inbox', %(database)s::text, received_at, contract, null::text, event_hash,
    case when exists (select from parked_actions skipped where skipped.message_id = inbox.message_id
        and skipped.action = 'skip') then 'skipped' else '' end
from inbox where %(ids)s::uuid[] is null or message_id = any(%(ids)s) order by message_id
"""
# What a deadline does has the cause of whoever set it, in a transaction of its own.
EFFECTS = """
select causation_id, 'effects', %(database)s::text, max(recorded_at), null::text, null::text, null::bytea,
    left(string_agg(topic || ' of ' || originator_id || ' version ' || originator_version, ', '
        order by position), 1000),
    count(distinct xid::text)
from stored_events
where causation_id is not null and actor <> 'deadline' and (%(ids)s::uuid[] is null or causation_id = any(%(ids)s))
group by causation_id order by causation_id
"""


def keyed(snapshots: Snapshots, order: UUID | None) -> list[Iterator[Row]]:
    """The places whose rows say which key they belong to."""
    key = {"key": str(order) if order else None}
    streams = [stream(OUTBOX, service, at, key) for service, at in snapshots.announced.items()]
    streams += [stream(UNDELIVERABLE, service, at, key) for service, at in snapshots.announced.items()]
    streams += [stream(PARKED, group, at, key) for group, at in snapshots.received.items()]
    return [*streams, stream(EVENT_LOG, READ_SIDE, snapshots.received[READ_SIDE], key)]


def unkeyed(snapshots: Snapshots, ids: Collection[UUID] | None) -> list[Iterator[Row]]:
    """The others, whole or narrowed to these messages."""
    wanted = {"ids": None if ids is None else list(ids)}
    streams = [stream(INBOX, group, at, wanted) for group, at in snapshots.received.items()]
    services = [(group, at) for group, at in snapshots.received.items() if group != READ_SIDE]
    return [*streams, *(stream(EFFECTS, service, at, wanted) for service, at in services)]


def stream(query: str, database: str, connection: Connection[Any], parameters: Mapping[str, Any]) -> Iterator[Row]:
    return (Row(*values) for values in rows(connection, query, {**parameters, "database": database}))
