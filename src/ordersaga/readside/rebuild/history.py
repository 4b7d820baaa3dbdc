"""The table `rebuilds`: the history of completed rebuilds."""

from datetime import datetime
from typing import Any, NamedTuple

from psycopg import Connection
from psycopg.rows import class_row

from ordersaga.readside.rebuild.result import RebuildResult

INSERT = """
insert into public.rebuilds (began_at, ended_at, view, dry_run, events, messages, findings, left_out)
values (%(began_at)s, clock_timestamp(), %(view)s, %(dry_run)s, %(events)s, %(messages)s, %(findings)s, %(left_out)s)
"""
LAST = """
select began_at, extract(epoch from ended_at - began_at)::float8 as seconds, view, dry_run, events, messages,
    findings, left_out
from rebuilds order by number desc limit 1
"""


class PastRebuild(NamedTuple):
    """A completed rebuild."""

    began_at: datetime
    seconds: float
    view: str | None
    dry_run: bool
    events: int
    messages: int
    findings: int
    left_out: int


def add(connection: Connection[Any], result: RebuildResult) -> None:
    """Add a completed rebuild."""
    connection.execute(INSERT, vars(result))


def last(connection: Connection[Any]) -> PastRebuild | None:
    """The last completed rebuild; None before the first."""
    with connection.cursor(row_factory=class_row(PastRebuild)) as cursor:
        return cursor.execute(LAST).fetchone()
