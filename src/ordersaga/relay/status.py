"""The status of a database's relay: its lag, its rate and its sessions, as `relay status` shows them."""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import Connection

from ordersaga.database.locks import RELAY_LEAD
from ordersaga.database.readable_time import READABLE_TIME
from ordersaga.database.snapshot_window import EMPTY_SNAPSHOT, unseen
from ordersaga.relay import detached
from ordersaga.relay.undeliverable import MAX_ROWS
from ordersaga.relay.window import Cursor
from ordersaga.runtime.errors import UnusableDatabase
from ordersaga.runtime.reasons import reason_of, remedy_of
from ordersaga.runtime.sessions import OPERATOR, connect


@dataclass(frozen=True)
class RelaySession:
    """The database session of a relay; host and process id are those of the relay."""

    host: str
    pid: int | None
    since: datetime


@dataclass(frozen=True)
class DetachedQueue:
    """A queue that the relay publishes around, as `relay status` shows it."""

    queue: str
    since: datetime
    state: str
    """A sentence."""
    kept_rows: int
    """Rows of the outbox that stay until every queue has them, whatever their age."""


@dataclass(frozen=True)
class RelayStatus:
    """One database; `problem` says why it did not answer, or why its figures have no meaning yet."""

    database: str
    active: RelaySession | None = None
    standbys: tuple[RelaySession, ...] = ()
    lag_rows: int = 0
    """Committed rows that the broker has not confirmed."""
    lag_seconds: float = 0.0
    """Age of the oldest of them by the time of its event; 0 when there is none."""
    oldest_message_id: UUID | None = None
    oldest_contract: str | None = None
    oldest_time: datetime | None = None
    published_per_second: float = 0.0
    undeliverable: int = 0
    """Messages that the broker refused, and those that wait for them."""
    undeliverable_since: datetime | None = None
    undeliverable_reason: str | None = None
    """Of the message that was refused first."""
    detached: tuple[DetachedQueue, ...] = ()
    problem: str | None = None


NO_RELAY = (
    "no relay is active: either none runs (`ordersaga relay` starts one), "
    "or those that run do not reach RabbitMQ (their /readyz and logs say so)"
)
"""A relay connects to RabbitMQ first, so a relay without RabbitMQ has no session here."""

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
PROBLEM = "select problem from relay_cursor"
FOREIGN = """
select c.system_identifier <> s.system_identifier::text from relay_cursor c, pg_control_system() s
"""

# The rows that were unpublished at an earlier cursor, and which of them are published now. It reads the backlog, not
# the table.
BACKLOG = f"""
with before as ({unseen("position, xid", "outbox")}),
backlog as (
    select position, coalesce(pg_visible_in_snapshot(before.xid, c.published)
        or position <= c.confirmed_position and pg_visible_in_snapshot(before.xid, c.target), false) as is_published
    from before left join relay_cursor c on true
    where not coalesce(position <= %(confirmed)s and pg_visible_in_snapshot(before.xid, %(target)s), false)),
total as (
    select count(*) filter (where is_published) as published,
        count(*) filter (where not is_published) as unpublished,
        min(position) filter (where not is_published) as oldest
    from backlog)
select published, unpublished, message_id, contract, {READABLE_TIME},
    coalesce(greatest(0, extract(epoch from clock_timestamp() - {READABLE_TIME})), 0)::float8
from total left join outbox on position = oldest
"""  # noqa: S608 - constants


def relay_status(database: str, url: str, seconds: float) -> RelayStatus:
    """Query one database, and measure its publishing rate over so many seconds."""
    try:
        with connect(url, "ordersaga relay status", OPERATOR) as connection:
            return measure(connection, database, seconds)
    except UnusableDatabase as error:
        return RelayStatus(database, problem=str(error))
    except psycopg.Error as error:
        return RelayStatus(database, problem=f"{reason_of(error)}. {remedy_of(error, 'relay')}")


def measure(connection: Connection[Any], database: str, seconds: float) -> RelayStatus:
    before = cursor_of(connection)
    began = time.monotonic()
    time.sleep(seconds)
    published, unpublished, id_, contract, moment, age = backlog(connection, before)
    active, standbys = relays(connection)
    rate = published / (time.monotonic() - began)
    refused, since, reason = connection.execute(UNDELIVERABLE).fetchone() or (0, None, None)
    problem = problem_of(connection, active, refused)
    figures = (unpublished, age, id_, contract, moment, rate, refused, since, reason, detached_queues(connection))
    return RelayStatus(database, active, standbys, *figures, problem)


def detached_queues(connection: Connection[Any]) -> tuple[DetachedQueue, ...]:
    return tuple(
        DetachedQueue(row.queue, row.since, str(row), detached.kept_rows(connection, row))
        for row in detached.load(connection)
    )


def unpublished(connection: Connection[Any]) -> int:
    """Committed rows that the broker has not confirmed."""
    _, number, *_ = backlog(connection, cursor_of(connection))
    return int(number)


def backlog(connection: Connection[Any], before: Cursor) -> tuple[Any, ...]:
    """Published and unpublished rows since a cursor; id, contract, time and age (seconds) of the oldest unpublished."""
    parameters = {"since": before.published, "target": before.target, "confirmed": before.confirmed_position}
    [row] = connection.execute(BACKLOG, parameters, binary=True)
    return tuple(row)


def cursor_of(connection: Connection[Any]) -> Cursor:
    """The current cursor; for a database without one, a cursor with nothing published."""
    row = connection.execute(CURSOR).fetchone()
    return Cursor(*row) if row else Cursor(EMPTY_SNAPSHOT)


def relays(connection: Connection[Any]) -> tuple[RelaySession | None, tuple[RelaySession, ...]]:
    """The active relay and the standbys, oldest first."""
    found: dict[bool, list[RelaySession]] = {True: [], False: []}
    for name, since, leads in connection.execute(RELAYS, RELAY_LEAD):
        _, host, pid = (*name.split(), "", "")[:3]
        found[leads].append(RelaySession(host, int(pid) if pid.isdigit() else None, since))
    return next(iter(found[True]), None), tuple(found[False])


def problem_of(connection: Connection[Any], active: RelaySession | None, undeliverable: int) -> str | None:
    foreign = connection.execute(FOREIGN).fetchone()
    if foreign and foreign[0]:
        return "restored from another server: the figures hold once a relay has re-based it"
    if undeliverable >= MAX_ROWS:
        return f"nothing new is published: {MAX_ROWS} messages or more are undeliverable"
    if active is None:
        return NO_RELAY
    row = connection.execute(PROBLEM).fetchone()
    return row[0] if row else None
