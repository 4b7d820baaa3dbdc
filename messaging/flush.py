"""The one statement of a flush: inbox, idempotency key, events, snapshots, outbox and deadlines."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from eventsourcing.persistence import StoredEvent
from psycopg import Connection
from psycopg.types.json import Jsonb

from messaging.aggregates import EventRow
from messaging.message import Cause, Message
from messaging.reactions import Deadline


@dataclass(frozen=True, slots=True)
class Remembered:
    """The answer to a request, kept so that the same request gets it again."""

    caller: str
    key: str
    request_hash: bytes
    status: int
    headers: dict[str, str]
    body: str


@dataclass(slots=True)
class Rows:
    """What one flush writes, by table."""

    events: list[EventRow] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    received: list[Message] = field(default_factory=list)
    remembered: list[Remembered] = field(default_factory=list)
    snapshots: list[tuple[StoredEvent, bytes]] = field(default_factory=list)
    deadlines: list[tuple[Deadline, Cause]] = field(default_factory=list)


INSERTS = {
    "received": """
        insert into inbox (message_id, contract, source, event_hash)
        select * from unnest(%(r_id)b::uuid[], %(r_contract)b::text[], %(r_source)b::text[], %(r_hash)b::bytea[])
        returning 1""",
    "remembered": """
        insert into idempotency_keys (caller, key, request_hash, status, headers, body)
        select * from unnest(%(k_caller)b::text[], %(k_key)b::text[], %(k_hash)b::bytea[], %(k_status)b::smallint[],
            %(k_headers)b::jsonb[], %(k_body)b::text[])
        returning 1""",
    "events": """
        insert into stored_events (originator_id, originator_version, topic, state,
            correlation_id, causation_id, actor, hash)
        select * from unnest(%(e_id)b::uuid[], %(e_version)b::bigint[], %(e_topic)b::text[], %(e_state)b::bytea[],
            %(e_correlation)b::uuid[], %(e_causation)b::uuid[], %(e_actor)b::text[], %(e_hash)b::bytea[])
        returning position""",
    "snapshots": """
        insert into snapshots (originator_id, originator_version, topic, state, hash)
        select * from unnest(%(s_id)b::uuid[], %(s_version)b::bigint[], %(s_topic)b::text[], %(s_state)b::bytea[],
            %(s_hash)b::bytea[])
        on conflict do nothing returning 1""",
    "messages": """
        insert into outbox (message_id, contract, source, key, sequence, time, event_hash,
            correlation_id, causation_id, actor, traceparent, tracestate, body)
        select * from unnest(%(o_id)b::uuid[], %(o_contract)b::text[], %(o_source)b::text[], %(o_key)b::text[],
            %(o_sequence)b::bigint[], %(o_time)b::timestamptz[], %(o_hash)b::bytea[], %(o_correlation)b::uuid[],
            %(o_causation)b::uuid[], %(o_actor)b::text[], %(o_traceparent)b::text[], %(o_tracestate)b::text[],
            %(o_body)b::text[])
        returning 1""",
    "deadlines": """
        insert into deadlines (name, aggregate_id, due_at, correlation_id, causation_id, traceparent, tracestate)
        select name, id, clock_timestamp() + after, correlation, causation, traceparent, tracestate
        from unnest(%(d_name)b::text[], %(d_id)b::uuid[], %(d_after)b::interval[], %(d_correlation)b::uuid[],
            %(d_causation)b::uuid[], %(d_traceparent)b::text[], %(d_tracestate)b::text[])
            as due (name, id, after, correlation, causation, traceparent, tracestate)
        on conflict do nothing returning 1""",
}


@cache
def statement(tables: tuple[str, ...]) -> str:
    """One insert as it is, several as data-modifying CTEs of one statement: they commit together or not at all."""
    if len(tables) == 1:
        return INSERTS[tables[0]]
    *first, last = tables
    return "with " + ",\n".join(f"{table} as ({INSERTS[table]})" for table in first) + INSERTS[last]


def write(connection: Connection[Any], rows: Rows) -> None:
    """Send everything in `rows` to the database in one round trip, and empty it; a failure leaves it as it was."""
    parameters = {
        "received": received(rows.received),
        "remembered": remembered(rows.remembered),
        "events": events(rows.events),
        "snapshots": snapshots(rows.snapshots),
        "messages": messages(rows.messages),
        "deadlines": deadlines(rows.deadlines),
    }
    filled = tuple(table for table, values in parameters.items() if values)
    if not filled:
        return
    merged = {name: value for table in filled for name, value in parameters[table].items()}
    connection.execute(statement(filled), merged, prepare=True)
    for table in filled:
        getattr(rows, table).clear()


def columns(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> dict[str, list[Any]]:
    """Rows turned into one array a column, empty when there are no rows."""
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)) if rows else {}


def received(rows: list[Message]) -> dict[str, list[Any]]:
    names = ("r_id", "r_contract", "r_source", "r_hash")
    return columns(names, [(row.id, row.contract, row.source, row.event_hash) for row in rows])


def remembered(rows: list[Remembered]) -> dict[str, list[Any]]:
    names = ("k_caller", "k_key", "k_hash", "k_status", "k_headers", "k_body")
    return columns(names, [(k.caller, k.key, k.request_hash, k.status, Jsonb(k.headers), k.body) for k in rows])


def events(rows: list[EventRow]) -> dict[str, list[Any]]:
    names = ("e_id", "e_version", "e_topic", "e_state", "e_correlation", "e_causation", "e_actor", "e_hash")
    return columns(
        names,
        [
            (e.originator_id, e.originator_version, e.topic, e.state)
            + (cause.correlation_id, cause.causation_id, cause.actor, hash_)
            for e, cause, hash_ in rows
        ],
    )


def snapshots(rows: list[tuple[StoredEvent, bytes]]) -> dict[str, list[Any]]:
    names = ("s_id", "s_version", "s_topic", "s_state", "s_hash")
    return columns(names, [(s.originator_id, s.originator_version, s.topic, s.state, hash_) for s, hash_ in rows])


def messages(rows: list[Message]) -> dict[str, list[Any]]:
    names = (
        *("o_id", "o_contract", "o_source", "o_key", "o_sequence", "o_time", "o_hash", "o_correlation"),
        *("o_causation", "o_actor", "o_traceparent", "o_tracestate", "o_body"),
    )
    return columns(
        names,
        [
            (m.id, m.contract, m.source, m.key, m.sequence, m.time, m.event_hash, m.cause.correlation_id)
            + (m.cause.causation_id, m.cause.actor, m.cause.traceparent, m.cause.tracestate, m.body)
            for m in rows
        ],
    )


def deadlines(rows: list[tuple[Deadline, Cause]]) -> dict[str, list[Any]]:
    names = ("d_name", "d_id", "d_after", "d_correlation", "d_causation", "d_traceparent", "d_tracestate")
    return columns(
        names,
        [
            (d.name, d.aggregate_id, d.after)
            + (cause.correlation_id, cause.causation_id, cause.traceparent, cause.tracestate)
            for d, cause in rows
        ],
    )
