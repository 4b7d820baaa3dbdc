"""Alarms that stand or stood, and their recording."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from psycopg import Connection
from psycopg.sql import SQL

from ordersaga.readside.rows import Row, columns, select, where
from projections.monitor.alarm import Alarm

LEASE_SECONDS = 30


class AlarmRow(Row):
    """One alarm from its beginning to its end; `cleared_at` is null while it stands."""

    id: int
    name: str
    subject: str
    severity: Literal["critical", "warning"]
    text: str
    address: str
    raised_at: datetime
    cleared_at: datetime | None


class AlarmCursor(NamedTuple):
    """The last alarm of a page; the next page begins after it."""

    time: datetime
    id: int


COLUMNS = columns(AlarmRow)
PAGE = SQL("select {} from alarms {} order by raised_at desc, id desc limit %(limit)s")
BEHIND = SQL("(raised_at, id) < (%(time)s, %(id)s)")
ENDED = SQL("cleared_at is not null")


def ended(connection: Connection[Any], limit: int = 50, behind: AlarmCursor | None = None) -> list[AlarmRow]:
    """The newest beginning first."""
    values = {"limit": limit, **(behind._asdict() if behind else {})}
    return select(connection, AlarmRow, PAGE.format(COLUMNS, where([ENDED, BEHIND] if behind else [ENDED])), values)


STANDING = SQL("select {} from alarms where cleared_at is null").format(COLUMNS)


def standing(connection: Connection[Any]) -> list[AlarmRow]:
    return select(connection, AlarmRow, STANDING)


ALARM_CHANGES = """
select position, change, at, name, subject, severity, text, address
from alarm_changes join alarms on alarms.id = alarm
where position > %(after)s order by position limit %(limit)s
"""
"""For webhooks: positions become visible in order."""

LEASE = """
update alarm_recorder set holder = %(holder)s, until = now() + make_interval(secs => %(seconds)s)
where holder = %(holder)s or until < now() returning true
"""


def lease(connection: Connection[Any], holder: UUID) -> bool:
    """Whether this process records for the next LEASE_SECONDS; the row stays locked until the caller's commit."""
    return connection.execute(LEASE, {"holder": holder, "seconds": LEASE_SECONDS}).fetchone() is not None


RAISE = """
with raised as (
    insert into alarms (name, subject, severity, text, address, raised_at)
    values (%(name)s, %(subject)s, %(severity)s, %(text)s, %(address)s, %(since)s)
    on conflict (name, subject) where cleared_at is null do nothing
    returning id, raised_at)
insert into alarm_changes (alarm, change, at) select id, 'raised', raised_at from raised
"""


def record_raised(connection: Connection[Any], alarms: Iterable[Alarm]) -> None:
    """Record the beginning of these alarms, unless it is recorded."""
    for alarm in alarms:
        values = {name: getattr(alarm, name) for name in ("name", "subject", "severity", "text", "address", "since")}
        connection.execute(RAISE, values)


CLEAR = """
with cleared as (
    update alarms set cleared_at = greatest(%(at)s, raised_at)
    where name = %(name)s and subject = %(subject)s and cleared_at is null
    returning id, cleared_at)
insert into alarm_changes (alarm, change, at) select id, 'cleared', cleared_at from cleared
"""


def record_cleared(connection: Connection[Any], name: str, subject: str, at: datetime) -> None:
    """Record the end of an alarm, unless it is recorded."""
    connection.execute(CLEAR, {"name": name, "subject": subject, "at": at})


OVERDUE = SQL("""
select count(*) from (
    select from saga_view where waits_for is not null and state = 'placed' and complete_by < now() limit 1000) as late
""")


def overdue(connection: Connection[Any]) -> int:
    """Overdue orders, 1,000 at most."""
    [(number,)] = connection.execute(OVERDUE).fetchall()
    return int(number)


# A note that is older than the last message was written before somebody acted on the order again.
LOST = SQL("""
select order_id from saga_view
where placed_at is null and last_at < now() - interval '15 minutes'
    and not exists (select from order_notes
        where order_notes.order_id = saga_view.order_id and noted_at > last_at)
order by order_id limit 1000
""")


def lost(connection: Connection[Any]) -> list[UUID]:
    """Orders that others act on and whose placing has not come for 15 minutes, without a note since; 1,000 at most."""
    return [order_id for (order_id,) in connection.execute(LOST)]
