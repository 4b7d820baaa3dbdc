"""Dry run: the reaction to a parked message in a transaction that is rolled back, and the rows that it wrote."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row
from psycopg.sql import SQL, Identifier

from ordersaga.inbox import forks
from ordersaga.inbox.delivery import Broken, Received, read
from ordersaga.inbox.handler import Handler
from ordersaga.inbox.reactor import Reactor
from ordersaga.parked.attempts import COLUMNS, ParkedMessage
from ordersaga.parked.inspection import refusals
from ordersaga.parked.operator import ActionRefused, UnknownMessage
from ordersaga.runtime.backoff import retry_on_conflict
from ordersaga.runtime.errors import ErrorKind, Failure, classify, describe
from ordersaga.store.lazy_transaction import LazyTransaction
from ordersaga.store.transaction import Transaction

NO_OUTSIDE = object()
"""In place of resources: outside steps must not be called."""


@dataclass
class DryRun:
    """The result of one attempt that was rolled back."""

    message_id: UUID
    outside: str = "none"
    """Its outside step: `none`, `not called` (then the reaction did not run), `called`."""
    answer: Any = None
    """The answer of the outside step."""
    failure: Failure | None = None
    received_before: bool = False
    """Whether it took effect before; an attempt then only removes it."""
    rows: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Table and columns of every row inserted or updated."""
    removed: dict[str, int] = field(default_factory=dict)
    """Table -> rows deleted."""

    def as_json(self) -> dict[str, Any]:
        """As JSON, with the answer of the outside step as text."""
        return {
            **asdict(self),
            "answer": None if self.answer is None else repr(self.answer),
            "failure": self.failure and self.failure._asdict(),
            "rows": [{"table": table, "row": row} for table, row in self.rows],
        }


ONE = f"select {COLUMNS} from parked_messages where message_id = %s"  # noqa: S608 - a constant


def dry_run(connection: Connection[Any], message_id: UUID, handler: Handler, resources: Any = NO_OUTSIDE) -> DryRun:
    """Run the reaction to a parked message and roll it back; the outside step is called only if `resources` are given.

    Raises:
        UnknownMessage: it is not parked here.
        ActionRefused: no reaction refused it, but the broker.
    """
    with connection.cursor(row_factory=class_row(ParkedMessage)) as cursor:
        row = cursor.execute(ONE, (message_id,)).fetchone()
    if row is None:
        if refusals(connection, message_id):
            raise ActionRefused(f"the broker refused message {message_id}: there is no reaction to run")
        raise UnknownMessage(f"message {message_id} is not parked here")
    result = DryRun(message_id)
    message = read(row.delivery, handler.contracts)
    if isinstance(message, Broken):
        result.failure = describe(message.reason)
        return result
    try:
        if call_outside(connection, message, handler, resources, result):
            retry_on_conflict(partial(react, connection, message, handler, result))
    except Exception as error:
        if classify(error) is ErrorKind.UNAVAILABLE:
            raise
        result.failure = describe(error)
    return result


def call_outside(
    connection: Connection[Any], message: Received, handler: Handler, resources: Any, result: DryRun
) -> bool:
    """Call the outside step if there is one and `resources` are given. Returns whether the reaction can run."""
    if not isinstance(handler, Reactor):
        return True
    reaction = handler.reactions.get(message.contract)
    if reaction is None or reaction.outside is None:
        return True
    if resources is NO_OUTSIDE:
        result.outside = "not called"
        return False
    result.outside = "called"
    transaction = Transaction(connection, handler.announcements, message.message.caused_by_this())
    transaction.follow(message.message)
    message.answer = result.answer = reaction.outside(message.data, transaction, resources)
    return True


def react(connection: Connection[Any], message: Received, handler: Handler, result: DryRun) -> None:
    """Run the reaction, collect the rows that it wrote, roll back."""
    with LazyTransaction(connection, force_rollback=True) as lazy:
        look = handler.look(connection, [message])
        if not forks.is_new(message, look.known):
            result.received_before = True
            return
        before = row_counts(connection)
        handler.handle(lazy, [message], look, are_parked=True)
        for table, counts in sorted(row_counts(connection).items()):
            written, removed = (now - then for now, then in zip(counts, before.get(table, (0, 0)), strict=True))
            if written:
                result.rows.extend((table, row) for row in written_rows(connection, table))
            if removed:
                result.removed[table] = removed


ROW_COUNTS = """
select relname, n_tup_ins + n_tup_upd, n_tup_del from pg_stat_xact_user_tables where schemaname = current_schema()
"""


def row_counts(connection: Connection[Any]) -> dict[str, tuple[int, int]]:
    """Table -> rows written and deleted, including transactions before this one that are not reported yet."""
    return {table: (written, removed) for table, written, removed in connection.execute(ROW_COUNTS)}


WRITTEN = "select to_jsonb(made) from {} made where made.xmin = pg_current_xact_id()::xid order by made.ctid"
WRITTEN_BY_XID = WRITTEN.replace("where", "where made.xid = pg_current_xact_id() and")
"""For tables with an index on xid, so that a million events are not scanned."""
HAS_XID = "select from pg_attribute where attrelid = %s::regclass and attname = 'xid'"


def written_rows(connection: Connection[Any], table: str) -> Iterator[dict[str, Any]]:
    """The rows of a table that this transaction wrote."""
    has_xid = connection.execute(HAS_XID, (f'"{table}"',)).fetchone() is not None
    for (row,) in connection.execute(SQL(WRITTEN_BY_XID if has_xid else WRITTEN).format(Identifier(table))):
        yield {name: readable(value) for name, value in row.items()}


def readable(value: Any) -> Any:
    """The value, decoded if it is JSON in bytes or text."""
    if not isinstance(value, str) or not value.startswith(("\\x", "{")):
        return value
    try:
        return json.loads(bytes.fromhex(value[2:]) if value.startswith("\\x") else value)
    except (ValueError, RecursionError):
        return value
