"""The table `rebuilds`: what rebuilds there were."""

from datetime import datetime
from typing import Any, NamedTuple

from psycopg import Connection
from psycopg.rows import class_row

from projections.rebuild.result import Result

REMEMBER = """
insert into public.rebuilds (began_at, ended_at, view, dry_run, events, messages, findings, left_out)
values (%(began_at)s, clock_timestamp(), %(view)s, %(dry_run)s, %(events)s, %(messages)s, %(findings)s, %(left_out)s)
"""
LAST = """
select began_at, extract(epoch from ended_at - began_at)::float8 as seconds, view, dry_run, events, messages,
    findings, left_out
from rebuilds order by number desc limit 1
"""


class Past(NamedTuple):
    """A rebuild that came to its end."""

    began_at: datetime
    seconds: float
    view: str | None
    dry_run: bool
    events: int
    messages: int
    findings: int
    left_out: int


def remember(connection: Connection[Any], result: Result) -> None:
    connection.execute(REMEMBER, vars(result))


def last(connection: Connection[Any]) -> Past | None:
    """None when there was none."""
    with connection.cursor(row_factory=class_row(Past)) as cursor:
        return cursor.execute(LAST).fetchone()
