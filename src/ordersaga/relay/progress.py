"""How far a database is published, how fast and by whom: what `relay status` tells."""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from ordersaga.database.locks import RELAY_LEAD
from ordersaga.database.snapshot_window import NOTHING, unseen
from ordersaga.relay import session
from ordersaga.relay.undeliverable import FULL
from ordersaga.relay.window import Cursor


@dataclass(frozen=True)
class Process:
    """A relay's session in a database; host and process id are those of the relay."""

    host: str
    pid: int | None
    since: datetime


@dataclass(frozen=True)
class Progress:
    """One database; `problem` says why it could not be asked, or why its figures mean nothing yet."""

    database: str
    active: Process | None = None
    standbys: tuple[Process, ...] = ()
    lag_rows: int = 0
    """Committed rows that no broker has confirmed yet."""
    lag_seconds: float = 0.0
    """Age of the oldest of them by its event's time; 0 when there is none."""
    oldest_message_id: UUID | None = None
    oldest_contract: str | None = None
    oldest_time: datetime | None = None
    published_per_second: float = 0.0
    undeliverable: int = 0
    """Messages that the broker did not take, and those that wait behind them."""
    undeliverable_since: datetime | None = None
    undeliverable_reason: str | None = None
    """Of the one that was refused first."""
    problem: str | None = None


NO_RELAY = (
    "no relay is active: either none runs (`ordersaga relay` starts one), "
    "or those that run do not reach RabbitMQ (their /readyz and logs say so)"
)
"""A relay connects to RabbitMQ first, so that one without it has no session here."""

RELAYS = """
select a.application_name, a.backend_start, l.pid is not null
from pg_stat_activity a left join pg_locks l on l.pid = a.pid and l.locktype = 'advisory' and l.granted
    and l.classid = %s and l.objid = %s and l.objsubid = 2
where a.datname = current_database() and a.application_name like 'relay %%' order by a.backend_start
"""

CURSOR = "select published::text, target::text, confirmed_position from relay_cursor"
UNDELIVERABLE = """
select (select count(*) from undeliverable), refused_at, kind || ': ' || reason
from undeliverable where kind <> 'waits' order by refused_at, position limit 1
"""
FOREIGN = """
select c.system_identifier <> s.system_identifier::text from relay_cursor c, pg_control_system() s
"""

# What a cursor read a moment ago had before it, by where it stands now; it costs the backlog, not the table.
STANDING = f"""
with before as ({unseen("position, xid", "outbox")}),
standing as (
    select position, coalesce(pg_visible_in_snapshot(before.xid, c.published)
        or position <= c.confirmed_position and pg_visible_in_snapshot(before.xid, c.target), false) as is_published
    from before left join relay_cursor c on true
    where not coalesce(position <= %(confirmed)s and pg_visible_in_snapshot(before.xid, %(target)s), false)),
total as (
    select count(*) filter (where is_published) as published,
        count(*) filter (where not is_published) as unpublished,
        min(position) filter (where not is_published) as oldest
    from standing)
select published, unpublished, message_id, contract, time,
    coalesce(greatest(0, extract(epoch from clock_timestamp() - time)), 0)::float8
from total left join outbox on position = oldest
"""  # noqa: S608 - constants


def progress(database: str, url: str, seconds: float) -> Progress:
    """Ask one database, and watch for so many seconds how fast it is published."""
    options = {**session.CONNECT, "application_name": "ordersaga relay status"}
    try:
        with psycopg.connect(make_conninfo(url, **options), autocommit=True) as connection:
            return ask(connection, database, seconds)
    except psycopg.Error as error:
        return Progress(database, problem=str(error).strip())


def ask(connection: Connection[Any], database: str, seconds: float) -> Progress:
    before = cursor_of(connection)
    began = time.monotonic()
    time.sleep(seconds)
    published, unpublished, id_, contract, moment, age = standing(connection, before)
    active, standbys = relays(connection)
    rate = published / (time.monotonic() - began)
    refused, since, reason = connection.execute(UNDELIVERABLE).fetchone() or (0, None, None)
    problem = problem_of(connection, active, refused)
    figures = (unpublished, age, id_, contract, moment, rate, refused, since, reason)
    return Progress(database, active, standbys, *figures, problem)


def unpublished(connection: Connection[Any]) -> int:
    """Committed rows that no broker has confirmed yet."""
    _, number, *_ = standing(connection, cursor_of(connection))
    return int(number)


def standing(connection: Connection[Any], before: Cursor) -> tuple[Any, ...]:
    parameters = {"since": before.published, "target": before.target, "confirmed": before.confirmed_position}
    [row] = connection.execute(STANDING, parameters, binary=True)
    return tuple(row)


def cursor_of(connection: Connection[Any]) -> Cursor:
    """The cursor as it stands; of a database that no relay has seen yet, one behind which there is nothing."""
    row = connection.execute(CURSOR).fetchone()
    return Cursor(*row) if row else Cursor(NOTHING)


def relays(connection: Connection[Any]) -> tuple[Process | None, tuple[Process, ...]]:
    """The active relay and the standbys, oldest first."""
    found: dict[bool, list[Process]] = {True: [], False: []}
    for name, since, leads in connection.execute(RELAYS, RELAY_LEAD):
        _, host, pid = (*name.split(), "", "")[:3]
        found[leads].append(Process(host, int(pid) if pid.isdigit() else None, since))
    return next(iter(found[True]), None), tuple(found[False])


def problem_of(connection: Connection[Any], active: Process | None, undeliverable: int) -> str | None:
    foreign = connection.execute(FOREIGN).fetchone()
    if foreign and foreign[0]:
        return "restored from another server: the figures hold once a relay has re-based it"
    if undeliverable >= FULL:
        return f"nothing new is published: {FULL} messages or more are undeliverable"
    return None if active else NO_RELAY
