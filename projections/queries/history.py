"""What was measured in the last hours, days or weeks, in at most 200 points."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from psycopg import Connection
from psycopg.sql import SQL

from ordersaga.readside.rows import Row, select
from projections.queries.figures import CANCELLED, CONFIRMED, PLACED

KEPT = timedelta(days=30)
HOUR = timedelta(hours=1)


class Span(NamedTuple):
    """A length of time up to now, and that of its points."""

    length: timedelta
    step: timedelta


SPANS = {
    "1h": Span(timedelta(hours=1), timedelta(minutes=1)),
    "6h": Span(timedelta(hours=6), timedelta(minutes=2)),
    "24h": Span(timedelta(hours=24), timedelta(minutes=8)),
    "7d": Span(timedelta(days=7), timedelta(hours=1)),
    "30d": Span(KEPT, timedelta(hours=4)),
}


class Traffic(Row):
    """Messages per minute, and those that place, confirm and cancel orders, on average of the step from `at`."""

    at: datetime
    placed: float
    confirmed: float
    cancelled: float
    messages: float


class FigurePoint(Row):
    """One figure of one subject in the step from `at`: its mean and its greatest value."""

    at: datetime
    figure: str
    subject: str
    mean: float
    greatest: float


class MinuteFigure(NamedTuple):
    """One figure of one subject in one minute; docs/DASHBOARD.md lists the figures and their units."""

    minute: datetime
    figure: str
    subject: str
    value: float


TRAFFIC = SQL("""
select date_bin(%(step)s, minute, 'epoch') as at,
    coalesce(sum(messages) filter (where contract in ({placed})), 0) / %(minutes)s as placed,
    coalesce(sum(messages) filter (where contract in ({confirmed})), 0) / %(minutes)s as confirmed,
    coalesce(sum(messages) filter (where contract in ({cancelled})), 0) / %(minutes)s as cancelled,
    sum(messages) / %(minutes)s as messages
from minute_view where minute >= date_bin(%(step)s, now() - %(length)s, 'epoch')
group by at order by at
""").format(placed=PLACED, confirmed=CONFIRMED, cancelled=CANCELLED)


def traffic(connection: Connection[Any], span: Span) -> list[Traffic]:
    """Oldest first; a step without a message is missing."""
    return select(connection, Traffic, TRAFFIC, {**span._asdict(), "minutes": span.step / timedelta(minutes=1)})


FIGURES = SQL("""
select date_bin(%(step)s, minute, 'epoch') as at, figure, subject, avg(value) as mean, max(value) as greatest
from figure_minutes
where figure = any(%(figures)s) and minute >= date_bin(%(step)s, now() - %(length)s, 'epoch')
group by at, figure, subject order by at
""")


FIGURES_OF_HOURS = SQL("""
select date_bin(%(step)s, hour, 'epoch') as at, figure, subject, avg(mean) as mean, max(greatest) as greatest
from (
    select hour, figure, subject, mean, greatest from figure_hours
    where figure = any(%(figures)s) and hour >= date_bin(%(step)s, now() - %(length)s, 'epoch')
    union all
    select date_bin('1 hour', minute, 'epoch') as hour, figure, subject, avg(value), max(value) from figure_minutes
    where figure = any(%(figures)s) and minute >= date_bin('1 hour', now(), 'epoch')
    group by hour, figure, subject) as hours
group by at, figure, subject order by at
""")


def figures(connection: Connection[Any], span: Span, names: Sequence[str]) -> list[FigurePoint]:
    """Oldest first; a step that nobody recorded is missing."""
    statement = FIGURES_OF_HOURS if span.step >= HOUR else FIGURES
    return select(connection, FigurePoint, statement, {**span._asdict(), "figures": list(names)})


KEEP = """
insert into figure_minutes (minute, figure, subject, value)
select * from unnest(%s::timestamptz[], %s::text[], %s::text[], %s::float8[])
on conflict do nothing
"""


def keep(connection: Connection[Any], rows: Iterable[MinuteFigure]) -> None:
    """Record figures; a minute that is recorded stays as it is."""
    minutes, names, subjects, values = zip(*rows, strict=True)
    connection.execute(KEEP, [list(minutes), list(names), list(subjects), list(map(float, values))])


SUMMARISE = """
insert into figure_hours (figure, hour, subject, mean, greatest)
select figure, date_bin('1 hour', minute, 'epoch') as hour, subject, avg(value), max(value)
from figure_minutes
where figure = any(%(figures)s) and minute < date_bin('1 hour', now(), 'epoch') and minute >= coalesce(
    (select max(hour) from figure_hours where figure = any(%(figures)s)) + interval '1 hour', '-infinity')
group by figure, hour, subject
on conflict do nothing
"""


def summarise(connection: Connection[Any], names: Sequence[str]) -> None:
    """Record the hours that have ended since those that are recorded."""
    connection.execute(SUMMARISE, {"figures": list(names)})


TRIM_MINUTES = "delete from figure_minutes where figure = any(%s) and minute < now() - %s::interval"
TRIM_HOURS = "delete from figure_hours where figure = any(%s) and hour < now() - %s::interval"


def trim(connection: Connection[Any], names: Sequence[str]) -> None:
    """Delete what is older than KEPT."""
    for statement in (TRIM_MINUTES, TRIM_HOURS):
        connection.execute(statement, (list(names), KEPT))
