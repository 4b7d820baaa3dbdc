"""A dry run: the real reaction to a parked message in a transaction that is rolled back, and the rows it made."""

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
from ordersaga.parked.attempts import COLUMNS, Parked
from ordersaga.parked.operations import UnknownMessage
from ordersaga.runtime.backoff import retry_on_conflict
from ordersaga.runtime.errors import ErrorKind, Failure, classify, describe
from ordersaga.store.transaction import Transaction

NO_WORLD = object()
"""Outside steps must not be called."""


@dataclass
class DryRun:
    """What an attempt at the message would do now."""

    message_id: UUID
    outside: str = "none"
    """Its outside step: `none`, `not called` (then nothing else was tried), `called`."""
    answer: Any = None
    """Of the outside step."""
    failure: Failure | None = None
    received_before: bool = False
    """It has taken effect already and would only be removed."""
    rows: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Table and columns of every row made or changed."""
    removed: dict[str, int] = field(default_factory=dict)
    """Table -> rows removed."""

    def as_json(self) -> dict[str, Any]:
        """The same, with the outside step's answer as text."""
        return {
            **asdict(self),
            "answer": None if self.answer is None else repr(self.answer),
            "failure": self.failure and self.failure._asdict(),
            "rows": [{"table": table, "row": row} for table, row in self.rows],
        }


ONE = f"select {COLUMNS} from parked_messages where message_id = %s"  # noqa: S608 - a constant


def dry_run(connection: Connection[Any], message_id: UUID, handler: Handler, world: Any = NO_WORLD) -> DryRun:
    """Nothing of it stays in the database; an outside step is called only if a `world` is given.

    Raises:
        UnknownMessage: it is not parked here.
    """
    with connection.cursor(row_factory=class_row(Parked)) as cursor:
        row = cursor.execute(ONE, (message_id,)).fetchone()
    if row is None:
        raise UnknownMessage(f"message {message_id} is not parked here")
    result = DryRun(message_id)
    message = read(row.delivery, handler.contracts)
    if isinstance(message, Broken):
        result.failure = describe(message.reason)
        return result
    try:
        if ask(connection, message, handler, world, result):
            retry_on_conflict(partial(rehearse, connection, message, handler, result))
    except Exception as error:
        if classify(error) is ErrorKind.UNAVAILABLE:
            raise
        result.failure = describe(error)
    return result


def ask(connection: Connection[Any], message: Received, handler: Handler, world: Any, result: DryRun) -> bool:
    """Call the outside step, if there is one and it may be. Returns whether the reaction can run."""
    if not isinstance(handler, Reactor):
        return True
    reaction = handler.reactions.get(message.contract)
    if reaction is None or reaction.outside is None:
        return True
    if world is NO_WORLD:
        result.outside = "not called"
        return False
    result.outside = "called"
    transaction = Transaction(connection, handler.announcements, message.message.caused_by_this())
    message.answer = result.answer = reaction.outside(message.data, transaction, world)
    return True


def rehearse(connection: Connection[Any], message: Received, handler: Handler, result: DryRun) -> None:
    with connection.transaction(force_rollback=True):
        if not forks.is_new(message, handler.known(connection, [message.id])):
            result.received_before = True
            return
        before = touched(connection)
        handler.handle(connection, [message])
        for table, counts in sorted(touched(connection).items()):
            written, removed = (now - then for now, then in zip(counts, before.get(table, (0, 0)), strict=True))
            if written:
                result.rows.extend((table, row) for row in made(connection, table))
            if removed:
                result.removed[table] = removed


TOUCHED = """
select relname, n_tup_ins + n_tup_upd, n_tup_del from pg_stat_xact_user_tables where schemaname = current_schema()
"""


def touched(connection: Connection[Any]) -> dict[str, tuple[int, int]]:
    """Table -> rows written and removed; also of transactions before this one that are not reported yet."""
    return {table: (written, removed) for table, written, removed in connection.execute(TOUCHED)}


MADE = "select to_jsonb(made) from {} made where made.xmin = pg_current_xact_id()::xid order by made.ctid"
MADE_BY_XID = MADE.replace("where", "where made.xid = pg_current_xact_id() and")
"""Where the table has the index for it: a million events are not looked through."""
HAS_XID = "select from pg_attribute where attrelid = %s::regclass and attname = 'xid'"


def made(connection: Connection[Any], table: str) -> Iterator[dict[str, Any]]:
    """The rows of a table that this transaction has written."""
    has_xid = connection.execute(HAS_XID, (f'"{table}"',)).fetchone() is not None
    for (row,) in connection.execute(SQL(MADE_BY_XID if has_xid else MADE).format(Identifier(table))):
        yield {name: readable(value) for name, value in row.items()}


def readable(value: Any) -> Any:
    """JSON that is kept as bytes or text, as what it says."""
    if not isinstance(value, str) or not value.startswith(("\\x", "{")):
        return value
    try:
        return json.loads(bytes.fromhex(value[2:]) if value.startswith("\\x") else value)
    except ValueError:
        return value
