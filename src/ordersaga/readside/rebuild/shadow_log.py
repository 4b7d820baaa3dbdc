"""The shadow of the event log: derived messages at the positions that the live log gave them.

`derived` holds the messages of all events that the stores had when the rebuild began. Those that the live log has go
into the shadow with their live position, so that cursors stay valid; the others are `pending`: in flight, or lost. A
message that was received as another version of its contract than the one that announces its event today keeps contract
and body; `other_versions` has those of today, to be compared.
"""

from collections.abc import Sequence
from typing import Any

from psycopg import Connection

from ordersaga.readside.rebuild.derivation import COLUMNS

DERIVED = ", ".join(f"d.{name}" + ("::jsonb" if name == "body" else "") for name in COLUMNS)
KIND = r"regexp_replace({}, '\.v\d+$', '')"
IS_OTHER_VERSION = f"({{0}} <> d.contract and {KIND.format('{0}')} = {KIND.format('d.contract')})"
LIVE = "traceparent, tracestate, received_at, position"
"""Columns that the stores do not have."""
INTO = f"insert into rebuild.event_log ({', '.join(COLUMNS)}, {LIVE}) overriding system value"

TYPED = ", ".join(f"{name} {type_}" for name, type_ in COLUMNS.items())
MAKE = f"create unlogged table rebuild.{{table}} ({TYPED})"
MAKE_OTHER_VERSIONS = "create unlogged table rebuild.other_versions (message_id uuid, contract text, body text)"
FREEZE = "create unlogged table rebuild.live_{view} as select * from public.{view}"
COUNT = "select count(*) from public.event_log where position <= %s"
END = "select coalesce(max(position), 0) from public.event_log"


def as_received(contract: str, body: str) -> str:
    """The derived columns, with the contract and the body in these columns where they are of another version."""
    other = IS_OTHER_VERSION.format(contract)
    columns = {name: f"d.{name}" for name in COLUMNS}
    columns["contract"] = f"case when {other} then {contract} else d.contract end"
    columns["body"] = f"case when {other} then {body} else d.body::jsonb end"
    return ", ".join(columns.values())


LOAD = f"""
{INTO}
select {as_received("l.contract", "l.body")}, l.traceparent, l.tracestate, l.received_at, l.position
from rebuild.{{table}} d join public.event_log l using (message_id)
where l.position <= %(end)s
"""  # noqa: S608
OTHER_VERSIONS = f"""
insert into rebuild.other_versions
select d.message_id, d.contract, d.body from rebuild.{{table}} d join public.event_log l using (message_id)
where l.position <= %(end)s and l.contract = any(%(versions)s) and {IS_OTHER_VERSION.format("l.contract")}
"""  # noqa: S608
# The inbox of a read side holds the messages that a person skipped; they stay skipped.
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
    returning p.*, l.contract as live_contract, l.body as live_body, l.traceparent, l.tracestate, l.received_at,
        l.position)
{INTO}
select {as_received("d.live_contract", "d.live_body")}, {LIVE} from d
"""  # noqa: S608
KEEP = f"""
{INTO}
select {", ".join(COLUMNS)}, {LIVE} from public.event_log
where position > %(after)s and position <= %(end)s and contract = any(%(contracts)s)
"""  # noqa: S608
LOST = "select count(*) from rebuild.pending where from_start"
RECOVER = f"""
with d as (delete from rebuild.pending where from_start returning *),
    added as (
        {INTO}
        select {DERIVED}, '', '', now(), nextval(pg_get_serial_sequence('public.event_log', 'position')) from d
        returning position)
select coalesce(min(position), 0), coalesce(max(position), 0), count(*) from added
"""  # noqa: S608
SET_BACK = """
update public.webhook_subscriptions set position = greatest(first_position, %(first)s - 1) where position >= %(first)s
"""
CONTINUE = """
select setval(pg_get_serial_sequence('rebuild.event_log', 'position'),
    nextval(pg_get_serial_sequence('public.event_log', 'position')))
"""


def end(connection: Connection[Any]) -> int:
    """The last position of the live log. All positions up to it are visible, because one writer at a time commits."""
    return int(fetch_one(connection, END)[0])


def count(connection: Connection[Any], end: int) -> int:
    """The number of messages in the live log up to a position."""
    row = connection.execute(COUNT, (end,)).fetchone()
    assert row is not None
    return int(row[0])


def freeze(connection: Connection[Any], views: Sequence[str]) -> int:
    """Copy the live views, all as of the position that is returned."""
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read")
        position = end(connection)
        for view in views:
            connection.execute(FREEZE.format(view=view).encode())
    return position


def make_derived(connection: Connection[Any], table: str) -> None:
    """Make the tables that derived messages are copied into."""
    connection.execute(MAKE.format(table=table).encode())
    connection.execute(MAKE_OTHER_VERSIONS)


def load(connection: Connection[Any], table: str, end: int, versions: Sequence[str]) -> None:
    """Put the derived messages that the live log has up to a position into the shadow.

    `versions` has the names of all contracts of which there are several versions.
    """
    connection.execute(LOAD.format(table=table).encode(), {"end": end})
    values = {"end": end, "versions": list(versions)}
    connection.execute(OTHER_VERSIONS.format(table=table).encode(), values)


def keep_pending(connection: Connection[Any], table: str) -> None:
    """Keep the derived messages that the shadow lacks; needs the shadow's primary key."""
    connection.execute(KEEP_PENDING.format(table=table).encode())
    connection.execute("alter table rebuild.pending add primary key (message_id)")


def add_pending(connection: Connection[Any], table: str) -> None:
    """Keep newly derived messages that the shadow lacks."""
    connection.execute(ADD_PENDING.format(table=table).encode())
    connection.execute(f"truncate rebuild.{table}".encode())


def move(connection: Connection[Any], after: int, end: int) -> None:
    """Put the pending messages that the live log received behind `after` up to `end` into the shadow."""
    connection.execute(MOVE, {"after": after, "end": end})


def keep(connection: Connection[Any], contracts: Sequence[str], after: int, end: int) -> None:
    """Copy the messages of contracts that are announced without an event: only the live log has them."""
    connection.execute(KEEP, {"contracts": list(contracts), "after": after, "end": end})


def lost(connection: Connection[Any]) -> int:
    """The number of messages that were announced before the rebuild began and are not in the live log."""
    return int(fetch_one(connection, LOST)[0])


def recover(connection: Connection[Any]) -> tuple[int, int, int]:
    """Put lost messages into the shadow at new positions. Returns the first and last position, and their number."""
    first, last, number = fetch_one(connection, RECOVER)
    return first, last, number


def continue_positions(connection: Connection[Any]) -> None:
    """Continue the positions of the shadow where those of the live log end."""
    connection.execute(CONTINUE)


def show_webhooks(connection: Connection[Any], first: int) -> None:
    """Set webhooks back to a position at which the swap shows messages that nobody has seen; 0 is none.

    What they have read behind it is not sent again: a subscription has one delivery of a message.
    """
    if first:
        connection.execute(SET_BACK, {"first": first})


def fetch_one(connection: Connection[Any], query: str) -> Any:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row
