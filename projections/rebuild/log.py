"""The shadow of the event log: what was derived, at the positions that the live log has given it.

`derived` holds what the stores tell of when the rebuild began. What the live log has of it goes into the shadow, with
the live position, so that the cursors of readers stay good; the rest is `pending`: under way to the log, or lost.
"""

from typing import Any

from psycopg import Connection

from projections.rebuild.derivation import COLUMNS

DERIVED = ", ".join(f"d.{name}" + ("::jsonb" if name == "body" else "") for name in COLUMNS)
LIVE = "traceparent, tracestate, received_at, position"
"""Not in the stores; the body is text until it is in its place."""
INTO = f"insert into rebuild.event_log ({', '.join(COLUMNS)}, {LIVE}) overriding system value"

TYPED = ", ".join(f"{name} {type_}" for name, type_ in COLUMNS.items())
MAKE = f"create unlogged table rebuild.{{table}} ({TYPED})"
FREEZE = "create unlogged table rebuild.live_{view} as select * from public.{view}"
COUNT = "select count(*) from public.event_log where position <= %s"
END = "select coalesce(max(position), 0) from public.event_log"

LOAD = f"""
{INTO}
select {DERIVED}, l.traceparent, l.tracestate, l.received_at, l.position
from rebuild.{{table}} d join public.event_log l using (message_id)
where l.position <= %(end)s
"""  # noqa: S608
# A person has skipped what is in the inbox of this group; it stays skipped.
KEEP_PENDING = """
create unlogged table rebuild.pending as
select d.*, true as from_start from rebuild.{table} d
where not exists (select from rebuild.event_log s where s.message_id = d.message_id)
    and not exists (select from public.inbox i where i.message_id = d.message_id)
"""
ADD_PENDING = """
insert into rebuild.pending
select d.*, false from rebuild.{table} d
where not exists (select from rebuild.event_log s where s.message_id = d.message_id)
    and not exists (select from public.inbox i where i.message_id = d.message_id)
on conflict (message_id) do nothing
"""
MOVE = f"""
with d as (
    delete from rebuild.pending p using public.event_log l
    where l.position > %(after)s and l.position <= %(end)s and p.message_id = l.message_id
    returning p.*, l.traceparent, l.tracestate, l.received_at, l.position)
{INTO}
select {DERIVED}, {LIVE} from d
"""  # noqa: S608
LOST = "select count(*) from rebuild.pending where from_start"
ADOPT = f"""
with d as (delete from rebuild.pending where from_start returning *),
    added as (
        {INTO}
        select {DERIVED}, '', '', now(), nextval(pg_get_serial_sequence('public.event_log', 'position')) from d
        returning position)
select coalesce(min(position), 0), coalesce(max(position), 0), count(*) from added
"""  # noqa: S608
CONTINUE = """
select setval(pg_get_serial_sequence('rebuild.event_log', 'position'),
    nextval(pg_get_serial_sequence('public.event_log', 'position')))
"""


def end(connection: Connection[Any]) -> int:
    """The last position of the live log; all up to it are visible, because writers queue up for the log."""
    return int(one(connection, END)[0])


def count(connection: Connection[Any], end: int) -> int:
    """Messages of the live log up to a position."""
    row = connection.execute(COUNT, (end,)).fetchone()
    assert row is not None
    return int(row[0])


def freeze(connection: Connection[Any], views: list[str]) -> int:
    """Copy the live views as of the position that is returned."""
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read")
        position = end(connection)
        for view in views:
            connection.execute(FREEZE.format(view=view).encode())
    return position


def make_derived(connection: Connection[Any], table: str) -> None:
    connection.execute(MAKE.format(table=table).encode())


def load(connection: Connection[Any], table: str, end: int) -> None:
    """Into the shadow goes what the live log has up to a position."""
    connection.execute(LOAD.format(table=table).encode(), {"end": end})


def keep_pending(connection: Connection[Any], table: str) -> None:
    """What is not in the shadow yet; needs the shadow's primary key."""
    connection.execute(KEEP_PENDING.format(table=table).encode())
    connection.execute("alter table rebuild.pending add primary key (message_id)")


def add_pending(connection: Connection[Any], table: str) -> None:
    connection.execute(ADD_PENDING.format(table=table).encode())
    connection.execute(f"truncate rebuild.{table}".encode())


def move(connection: Connection[Any], after: int, end: int) -> None:
    """Into the shadow goes what the live log has received between two positions."""
    connection.execute(MOVE, {"after": after, "end": end})


def lost(connection: Connection[Any]) -> int:
    """How many messages that were announced before the rebuild began are not in the live log."""
    return int(one(connection, LOST)[0])


def adopt(connection: Connection[Any]) -> tuple[int, int, int]:
    """Into the shadow goes what never reached the live log, at new positions: returns the first, the last, how many."""
    first, last, number = one(connection, ADOPT)
    return first, last, number


def continue_positions(connection: Connection[Any]) -> None:
    """The shadow goes on where the live log is."""
    connection.execute(CONTINUE)


def one(connection: Connection[Any], query: str) -> Any:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row
