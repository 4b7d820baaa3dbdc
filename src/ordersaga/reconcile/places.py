"""The tables that messages are in, each as a stream sorted by message id."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any
from uuid import UUID

from psycopg import Connection

from ordersaga.database.readable_time import READABLE_TIME
from ordersaga.parked.table import ANNOUNCED_ID
from ordersaga.reconcile.message_row import MessageRow
from ordersaga.reconcile.snapshots import Snapshots, rows

OUTBOX = f"""
select message_id, 'outbox', %(service)s::text, {READABLE_TIME}, contract, key, event_hash from outbox
where %(key)s::text is null or key = %(key)s order by message_id
"""  # noqa: S608 - a constant
EVENT_LOG = """
select message_id, 'event_log', %(service)s::text, received_at, contract, key, event_hash from event_log
where %(key)s::text is null or key = %(key)s order by message_id
"""
PARKED = f"""
select {ANNOUNCED_ID}, 'parked_messages', %(service)s::text, parked_at, contract, key, null::bytea,
    concat_ws(', ', state, nullif(attempts, 0) || ' attempts', nullif(concat_ws(': ', nullif(error, ''),
        nullif(left(message, 200), '')), ''))
from parked_messages where %(key)s::text is null or key = %(key)s order by 1
"""  # noqa: S608 - a constant
UNDELIVERABLE = """
select message_id, 'undeliverable', %(service)s::text, refused_at, contract, key, event_hash, kind || ': ' || reason
from undeliverable where %(key)s::text is null or key = %(key)s order by message_id
"""
# A skipped fork or an unreadable message has an id of its own, which no store announces.
INBOX = """
select message_id, 'inbox', %(service)s::text, received_at, contract, null::text, event_hash,
    case when exists (select from parked_actions skipped where skipped.message_id = inbox.message_id
        and skipped.action = 'skip' and skipped.refused_by = 'reaction') then 'skipped' else '' end
from inbox where %(ids)s::uuid[] is null or message_id = any(%(ids)s) order by message_id
"""
# A deadline's events carry the cause of the command that set it, and are recorded in another transaction.
EFFECTS = """
select causation_id, 'effects', %(service)s::text, max(recorded_at), null::text, null::text, null::bytea,
    left(string_agg(topic || ' of ' || originator_id || ' version ' || originator_version, ', '
        order by position), 1000),
    count(distinct xid::text)
from stored_events
where causation_id is not null and actor <> 'deadline' and (%(ids)s::uuid[] is null or causation_id = any(%(ids)s))
group by causation_id order by causation_id
"""


def with_key(snapshots: Snapshots, key: UUID | None) -> list[Iterator[MessageRow]]:
    """The tables whose rows have a key: all of their rows, or those of one key."""
    wanted = {"key": str(key) if key else None}
    streams = [stream(OUTBOX, service, at, wanted) for service, at in snapshots.announced.items()]
    streams += [stream(UNDELIVERABLE, service, at, wanted) for service, at in snapshots.announced.items()]
    streams += [stream(PARKED, service, at, wanted) for service, at in snapshots.received.items()]
    return [*streams, *(stream(EVENT_LOG, name, snapshots.received[name], wanted) for name in snapshots.read_sides)]


def without_key(snapshots: Snapshots, ids: Collection[UUID] | None) -> list[Iterator[MessageRow]]:
    """The other tables: all of their rows, or those of these messages."""
    wanted = {"ids": None if ids is None else list(ids)}
    streams = [stream(INBOX, service, at, wanted) for service, at in snapshots.received.items()]
    recording = [(name, at) for name, at in snapshots.received.items() if name in snapshots.announced]
    return [*streams, *(stream(EFFECTS, name, at, wanted) for name, at in recording)]


def stream(query: str, service: str, connection: Connection[Any], wanted: Mapping[str, Any]) -> Iterator[MessageRow]:
    return (MessageRow(*values) for values in rows(connection, query, {**wanted, "service": service}))
