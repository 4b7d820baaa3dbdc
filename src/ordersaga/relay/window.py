"""The SQL of the windows between two snapshots of the outbox, and of the cursor that stores the first snapshot.

Rows visible in S2 and not in S1 are published in the order of positions. For each key this is the order of its commits
without a gap, because the next version of an aggregate gets its position after the last one was committed. So a relay
that restarts at the cursor, a standby that takes over, and a frozen leader that wakes up all send runs that begin at
or before the first unconfirmed message: whatever their interleaving, the first copy of each message arrives in order,
and inboxes drop the later copies by their id.
"""

from bisect import bisect_right
from dataclasses import dataclass
from typing import Any, NamedTuple

from psycopg import Connection

from ordersaga.database.readable_time import READABLE_TIME
from ordersaga.database.snapshot_window import EMPTY_SNAPSHOT, window_of
from ordersaga.envelope.message import COLUMNS, Message, from_row


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a database is published."""

    published: str
    """S1: every row visible in it is confirmed."""
    target: str | None = None
    """S2 of a window that was not completed."""
    confirmed_position: int | None = None
    """Position up to which that window is confirmed."""


@dataclass(frozen=True, slots=True)
class Window:
    """The rows that became visible between a cursor and `target`; a million positions take 40 MB, messages 1 GB."""

    target: str
    positions: list[int]


class Outgoing(NamedTuple):
    """One row of the outbox, or of the undeliverable ones."""

    position: int
    message: Message
    size: int
    """Bytes of the body. A body over the limit is not read: the message has an empty one."""


def load_cursor(connection: Connection[Any]) -> Cursor:
    """The cursor; inserts it on first use."""
    connection.execute(
        """insert into relay_cursor (system_identifier, published)
           select system_identifier, %s from pg_control_system() on conflict do nothing""",
        (EMPTY_SNAPSHOT,),
    )
    row = connection.execute("select published::text, target::text, confirmed_position from relay_cursor").fetchone()
    assert row is not None
    return Cursor(*row)


POSITIONS = window_of("outbox")


def page_of(table: str, condition: str) -> str:
    """The rows that match, in order, as long as their bodies together have at most %(budget)s bytes; at least one.

    A body of more than %(largest)s bytes is not read and counts nothing. `octet_length` reads no body that Postgres
    stores outside of its row.
    """
    columns = ", ".join(column for column in COLUMNS if column != "body")
    readable = columns.replace(" time,", f" {READABLE_TIME} as time,")
    return f"""
select position, size, {readable}, case when size <= %(largest)s then body else '' end from (
    select position, {columns}, body, size, sum(case when size <= %(largest)s then size else 0 end)
        over (order by position) as total, row_number() over (order by position) as number
    from (select *, octet_length(body) as size from {table} where {condition}) as sized) as page
where total <= %(budget)s or number = 1
order by position
"""  # noqa: S608 - constants


ROWS = page_of("outbox", "position = any(%(positions)s)")


def open_window(connection: Connection[Any], cursor: Cursor) -> Window:
    """List the positions to publish, in order: up to now, or up to the target of the cursor.

    The statement reads the window, not the table. The end of a new window is the snapshot of this statement.
    """
    parameters = {"since": cursor.published, "until": cursor.target}
    row = connection.execute(POSITIONS, parameters, binary=True).fetchone()
    assert row is not None
    target, positions = row
    if cursor.confirmed_position is not None:
        positions = positions[bisect_right(positions, cursor.confirmed_position) :]
    return Window(target, positions)


def fetch_page(connection: Connection[Any], positions: list[int], largest: int, budget: int) -> list[Outgoing]:
    """The rows at these positions, in order: as many as `page_of` allows."""
    parameters = {"positions": positions, "largest": largest, "budget": budget}
    return [outgoing(row) for row in connection.execute(ROWS, parameters, binary=True)]


def outgoing(row: tuple[Any, ...]) -> Outgoing:
    """A row of `page_of`."""
    position, size, *columns = row
    return Outgoing(position, from_row(columns), size)


def save_confirmed(connection: Connection[Any], target: str, position: int) -> None:
    """Store that the window up to `target` is confirmed up to `position`."""
    connection.execute(
        """update relay_cursor set target = %s, confirmed_position = %s,
               xid = pg_current_xact_id(), moved_at = now()""",
        (target, position),
    )


def close_window(connection: Connection[Any], target: str) -> Cursor:
    """Store that every row visible in `target` is confirmed."""
    connection.execute(
        """update relay_cursor set published = %s, target = null, confirmed_position = null,
               xid = pg_current_xact_id(), moved_at = now()""",
        (target,),
    )
    return Cursor(target)
