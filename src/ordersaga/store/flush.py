"""The single statement of a flush: deadlines, inbox, idempotency key, events, snapshots and outbox."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.types.json import Jsonb

from ordersaga.envelope import message
from ordersaga.envelope.message import Cause, Message
from ordersaga.runtime.errors import KeyHeld
from ordersaga.store.aggregates import NewEventRow, SnapshotRow
from ordersaga.store.deadline import Deadline


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The answer to a request, stored so that a repeated request gets it again."""

    caller: str
    key: str
    request_hash: bytes
    status: int
    headers: dict[str, str]
    body: str
    subject: UUID | None = None


class ReceivedRow(NamedTuple):
    """One new row of the inbox."""

    message: Message
    free_key: str | None = None
    """The flush fails if a message of this key is parked; None for a message that is itself parked."""


@dataclass(slots=True)
class Rows:
    """The rows of one flush, by table."""

    events: list[NewEventRow] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    received: list[ReceivedRow] = field(default_factory=list)
    answers: list[StoredAnswer] = field(default_factory=list)
    snapshots: list[SnapshotRow] = field(default_factory=list)
    deadlines: list[tuple[Deadline, Cause]] = field(default_factory=list)
    cleared: list[tuple[str, UUID]] = field(default_factory=list)
    """Name and aggregate id of deadlines that are to be deleted."""


def typed(columns: str) -> dict[str, str]:
    return dict(column.split() for column in columns.split(", "))


COLUMNS = {
    "cleared": typed("name text, aggregate_id uuid"),
    "received": typed("message_id uuid, contract text, source text, event_hash bytea, free_key text"),
    "answers": typed(
        "caller text, key text, request_hash bytea, status smallint, headers jsonb, body text, subject uuid"
    ),
    "events": typed(
        "originator_id uuid, originator_version bigint, topic text, state bytea, "
        "correlation_id uuid, causation_id uuid, actor text, hash bytea, free_lock bigint"
    ),
    "snapshots": typed(
        "originator_id uuid, originator_version bigint, topic text, state bytea, hash bytea, fingerprint text"
    ),
    "messages": message.COLUMNS,
    "deadlines": typed(
        "name text, aggregate_id uuid, after interval, "
        "correlation_id uuid, causation_id uuid, traceparent text, tracestate text"
    ),
}
"""The inserted columns with their types, in the order of `ROW`."""

PARAMETERS = {table: [f"{table}_{name}" for name in columns] for table, columns in COLUMNS.items()}

INSERTS = {
    "cleared": """
        delete from deadlines where ctid = any(array(
            select found.ctid from {rows} ({names}) cross join lateral (
                select ctid from deadlines
                where deadlines.name = given.name and deadlines.aggregate_id = given.aggregate_id
                for update skip locked) as found)) returning 1""",
    "received": """
        insert into inbox (message_id, contract, source, event_hash)
        select message_id, contract, source,
            case when not exists (select from parked_messages where key = free_key) then event_hash end
        from {rows} ({names}) returning 1""",
    "events": """
        insert into stored_events (
            originator_id, originator_version, topic, state, correlation_id, causation_id, actor, hash)
        select originator_id, originator_version, topic, state, correlation_id, causation_id, actor,
            case when free_lock is null or pg_try_advisory_xact_lock(free_lock) then hash end
        from {rows} ({names}) returning position""",
    "snapshots": "insert into snapshots ({names}) select * from {rows} on conflict do nothing returning 1",
    "messages": "insert into outbox ({names}) select * from {rows} returning 1",
    "deadlines": """
        insert into deadlines (name, aggregate_id, due_at, correlation_id, causation_id, traceparent, tracestate)
        select name, aggregate_id, clock_timestamp() + after, correlation_id, causation_id, traceparent, tracestate
        from {rows} ({names})
        on conflict do nothing returning 1""",
    "answers": "insert into idempotency_keys ({names}) select * from {rows} returning 1",
}

KEYS_ARE_FREE = """keys_are_free as materialized (
    select from {rows} ({names}) having bool_and(pg_try_advisory_xact_lock(hashtext(caller), hashtext(key))))"""
"""Locks the keys of the answers until the transaction ends; no row when another transaction has one of them."""


@cache
def statement(tables: tuple[str, ...], single: frozenset[str] = frozenset()) -> str:
    """A single insert, or several as data-modifying CTEs of one statement, which commit together or not at all.

    Tables in `single` take one row of plain values, the others an array for each column.
    """
    only_if = " where exists (select from keys_are_free)" if "answers" in tables else ""
    inserts = {
        table: INSERTS[table].format(
            names=", ".join(COLUMNS[table]), rows=table_expression(table, table in single, only_if)
        )
        for table in tables
    }
    *first, last = tables
    before = [f"{table} as ({inserts[table]})" for table in first]
    if only_if:
        given = table_expression("answers", "answers" in single)
        before.insert(0, KEYS_ARE_FREE.format(names=", ".join(COLUMNS["answers"]), rows=given))
    return f"with {', '.join(before)} {inserts[last]}" if before else inserts[last]


def table_expression(table: str, single: bool, only_if: str = "") -> str:
    """The parameters of one table as rows; none of them unless `only_if`, a condition, is true.

    psycopg makes arrays in Python: for single rows they took 430 µs of CPU a command, plain values 290.
    """
    parameters = zip(PARAMETERS[table], COLUMNS[table].values(), strict=True)
    if single:
        rows = f"(values ({', '.join(f'%({name})b::{type_}' for name, type_ in parameters)}))"
    else:
        rows = f"unnest({', '.join(f'%({name})b::{type_}[]' for name, type_ in parameters)})"
    return f"(select * from {rows} as every{only_if}) as given" if only_if else f"{rows} as given"  # noqa: S608


def write(connection: Connection[Any], rows: Rows) -> None:
    """Write `rows` in one round trip, then empty it; after an error it is unchanged.

    Raises:
        KeyHeld: another transaction is about to store an answer under a key of these answers; nothing was written.
    """
    filled = {table: of_table for table in INSERTS if (of_table := getattr(rows, table))}
    if filled:
        inserted = insert(connection, filled).rowcount
        if "answers" in filled and not inserted:
            raise KeyHeld("a request with the same idempotency key is under way")
        for of_table in filled.values():
            of_table.clear()


def insert(connection: Connection[Any], rows: Mapping[str, Sequence[Any]]) -> Cursor[Any]:
    """Insert the rows of all tables in one statement. Returns what the insert into the last table returns."""
    return connection.execute(*insertion(rows), prepare=True)


def insertion(rows: Mapping[str, Sequence[Any]]) -> tuple[str, dict[str, Any]]:
    """The statement that `insert` runs, and its parameters."""
    single = frozenset(table for table, of_table in rows.items() if len(of_table) == 1)
    parameters: dict[str, Any] = {}
    for table, of_table in rows.items():
        values = map(ROW[table], of_table)
        columns = next(values) if table in single else map(list, zip(*values, strict=True))
        parameters.update(zip(PARAMETERS[table], columns, strict=True))
    return statement(tuple(rows), single), parameters


def received(row: ReceivedRow) -> tuple[Any, ...]:
    m, free_key = row
    return m.id, m.contract, m.source, m.event_hash, free_key


def answer(a: StoredAnswer) -> tuple[Any, ...]:
    return a.caller, a.key, a.request_hash, a.status, Jsonb(a.headers), a.body, a.subject


def event(row: NewEventRow) -> tuple[Any, ...]:
    e, c, hash_, free_lock = row
    return (
        *(e.originator_id, e.originator_version, e.topic, e.state),
        *(c.correlation_id, c.causation_id, c.actor, hash_, free_lock),
    )


def snapshot(row: SnapshotRow) -> tuple[Any, ...]:
    s, hash_, code = row
    return s.originator_id, s.originator_version, s.topic, s.state, hash_, code


def deadline(row: tuple[Deadline, Cause]) -> tuple[Any, ...]:
    d, c = row
    return d.name, d.aggregate_id, d.after, c.correlation_id, c.causation_id, c.traceparent, c.tracestate


ROW: dict[str, Callable[[Any], tuple[Any, ...]]] = {
    "received": received,
    "answers": answer,
    "events": event,
    "snapshots": snapshot,
    "messages": message.to_row,
    "deadlines": deadline,
    "cleared": tuple,
}
