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
from ordersaga.database.snapshot_window import EMPTY_SNAPSHOT, listed_in
from ordersaga.envelope.message import COLUMNS, Message, from_row

PAGE = 1000
"""Rows read at once; in a long window also the step in which the cursor moves."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a database is published."""

    published: str
    """S1: every row visible in it is confirmed."""
    target: str | None = None
    """S2 of a window that was not completed."""
    confirmed_position: int | None = None
    """Position up to which that window is confirmed."""


class Outgoing(NamedTuple):
    """One row of the outbox, or of the undeliverable ones."""

    position: int
    message: Message
    size: int
    """Bytes of the body. A body over the limit is not read: the message has an empty one."""


@dataclass(frozen=True, slots=True)
class Window:
    """The rows that became visible between a cursor and `target`; a million positions take 40 MB, messages 1 GB."""

    target: str
    positions: list[int]
    page: list[Outgoing]
    """The first rows: as many as `page_of` allows, at most PAGE."""


class PageLimits(NamedTuple):
    """How much of the bodies one page reads, in bytes; see `page_of`."""

    largest: int
    """Of a single body; a larger one is not read."""
    budget: int
    """Of all bodies together, but for a single one."""


BEGIN = """insert into relay_cursor (system_identifier, published)
    select system_identifier, %s from pg_control_system() on conflict do nothing"""
LOAD = "select published::text, target::text, confirmed_position from relay_cursor"


def load_cursor(connection: Connection[Any]) -> Cursor:
    """The cursor; inserts it on first use."""
    connection.execute(BEGIN, (EMPTY_SNAPSHOT,))
    row = connection.execute(LOAD).fetchone()
    assert row is not None
    return Cursor(*row)


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
SAVE = """update relay_cursor set published = %(published)s, target = %(target)s, confirmed_position = %(confirmed)s,
    xid = pg_current_xact_id(), moved_at = now()"""
FIRST_PAGE = page_of("outbox", f"position = any(positions[1:{PAGE}])")
OPEN = f"""
{listed_in("outbox")}
select target, case when position is null or position = positions[1] then positions end, page.*
from listed left join lateral ({FIRST_PAGE}) as page on true
"""  # noqa: S608 - constants
LOOK = f"with {OPEN}"
SAVE_AND_LOOK = f"with saved as ({SAVE}), {OPEN}"


def open_window(connection: Connection[Any], cursor: Cursor, limits: PageLimits, save: Cursor | None = None) -> Window:
    """List the positions to publish, in order: up to now, or up to the target of the cursor; read the first page.

    It is one statement, which reads the window, not the table. The end of a new window is the snapshot of this
    statement. `save` is stored as the cursor beside it.
    """
    parameters = {"since": cursor.published, "until": cursor.target, **limits._asdict()}
    if save:
        parameters |= columns_of(save)
    found = connection.execute(SAVE_AND_LOOK if save else LOOK, parameters, prepare=True, binary=True).fetchall()
    target, positions = found[0][0], next(row[1] for row in found if row[1] is not None)
    page = [outgoing(row[2:]) for row in found if row[2] is not None]
    if (confirmed := cursor.confirmed_position) is not None:
        positions = positions[bisect_right(positions, confirmed) :]
        page = [row for row in page if row.position > confirmed]
    return Window(target, positions, sorted(page))


def fetch_page(connection: Connection[Any], positions: list[int], limits: PageLimits) -> list[Outgoing]:
    """The rows at these positions, in order: as many as `page_of` allows."""
    parameters = {"positions": positions, **limits._asdict()}
    return [outgoing(row) for row in connection.execute(ROWS, parameters, binary=True)]


def outgoing(row: tuple[Any, ...]) -> Outgoing:
    """A row of `page_of`."""
    position, size, *columns = row
    return Outgoing(position, from_row(columns), size)


def save_cursor(connection: Connection[Any], cursor: Cursor) -> None:
    """Store how far the database is published."""
    connection.execute(SAVE, columns_of(cursor))


def columns_of(cursor: Cursor) -> dict[str, Any]:
    """The parameters of `SAVE`."""
    return {"published": cursor.published, "target": cursor.target, "confirmed": cursor.confirmed_position}
