"""Queries of the event log: by page, behind a position, by id, and along causes."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Connection
from psycopg.sql import SQL

from ordersaga.readside.rows import Row, applicable, columns, select, where

MAX_DEPTH = 100
"""The longest chain of causes that is followed; a saga has about six links."""


class LoggedEvent(Row):
    """One message of the log: its content, its cause, and its position."""

    position: int
    message_id: UUID
    contract: str
    source: str
    key: str
    sequence: int
    time: datetime
    received_at: datetime
    correlation_id: UUID
    causation_id: UUID | None
    actor: str
    trace_id: str
    body: dict[str, Any]


class LinkedEvent(LoggedEvent):
    """`distance` is 0 for the message asked about, negative for its causes, positive for its effects."""

    distance: int


class EventFilter(NamedTuple):
    """A filter of the log; None filters nothing. `since` is included, `until` is not; both refer to `time`."""

    contract: str | None = None
    key: str | None = None
    source: str | None = None
    actor: str | None = None
    correlation_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


ALL = EventFilter()


class LogCursor(NamedTuple):
    """The place of the last row of a page; the next page begins behind it."""

    time: datetime
    position: int


COLUMNS = columns(LoggedEvent, trace_id="split_part(traceparent, '-', 2)")

CONDITIONS = {
    "contract": SQL("contract = %(contract)s"),
    "key": SQL("key = %(key)s"),
    "source": SQL("source = %(source)s"),
    "actor": SQL("actor = %(actor)s"),
    "correlation_id": SQL("correlation_id = %(correlation_id)s"),
    "since": SQL("time >= %(since)s"),
    "until": SQL("time < %(until)s"),
}

PAGE = SQL("select {} from event_log {} order by {} limit %(limit)s")
BY_POSITION = (SQL("position desc"), SQL("position < %(position)s"))
BY_TIME = (SQL("time desc, position desc"), SQL("(time, position) < (%(time)s, %(position)s)"))
"""A range of time may lie anywhere in the order of positions: the query would first read everything after it."""
BY_ACTOR_AND_CONTRACT = (
    SQL("actor desc, contract desc, position desc"),
    SQL("(actor, contract, position) < (%(actor)s, %(contract)s, %(position)s)"),
)
AT_LEAST = SQL("(actor, contract, position) > (%(actor)s, %(contract)s, 0)")
"""Equal to two equalities, but bound to their index: where both are frequent and never meet, the planner would read the
whole log (0.5 s at a million) for an empty page."""
END = 2**63 - 1


def page(
    connection: Connection[Any], wanted: EventFilter = ALL, limit: int = 50, behind: LogCursor | None = None
) -> list[LoggedEvent]:
    """Newest first: by position, or by time when a time is asked for."""
    values: dict[str, Any] = {**wanted._asdict(), "limit": limit, "position": END}
    if behind:
        values |= {"time": behind.time, "position": behind.position}
    sorting, further = BY_TIME if wanted.since or wanted.until else BY_POSITION
    conditions = applicable(CONDITIONS, values)
    if sorting is BY_POSITION[0] and wanted.actor and wanted.contract:
        sorting, further = BY_ACTOR_AND_CONTRACT
        rest = {name: value for name, value in values.items() if name not in ("actor", "contract")}
        conditions = [AT_LEAST, further, *applicable(CONDITIONS, rest)]
    elif behind:
        conditions.append(further)
    return select(connection, LoggedEvent, PAGE.format(COLUMNS, where(conditions), sorting), values)


def after(connection: Connection[Any], position: int, wanted: EventFilter = ALL, limit: int = 500) -> list[LoggedEvent]:
    """Oldest first, behind a position. Positions become visible in their order, so a reader misses nothing."""
    values = {**wanted._asdict(), "limit": limit, "position": position}
    conditions = [SQL("position > %(position)s"), *applicable(CONDITIONS, values)]
    return select(connection, LoggedEvent, PAGE.format(COLUMNS, where(conditions), SQL("position")), values)


HEAD = SQL("select coalesce(max(position), 0) from event_log")


def head(connection: Connection[Any]) -> int:
    """The last position of the log, 0 when it is empty."""
    row = connection.execute(HEAD).fetchone()
    return int(row[0]) if row else 0


ONE = SQL("select {} from event_log where message_id = %(message_id)s").format(COLUMNS)


def fetch_one(connection: Connection[Any], message_id: UUID) -> LoggedEvent | None:
    """The message with this id."""
    return next(iter(select(connection, LoggedEvent, ONE, {"message_id": message_id})), None)


LINKED = SQL("""
with recursive causes (message_id, causation_id, distance) as (
    select message_id, causation_id, 0 from event_log where message_id = %(message_id)s
    union all
    select e.message_id, e.causation_id, distance - 1
    from causes join event_log e on e.message_id = causes.causation_id where distance > -%(deepest)s),
effects (message_id, distance) as (
    select message_id, 0 from event_log where message_id = %(message_id)s
    union all
    select e.message_id, distance + 1
    from effects join event_log e on e.causation_id = effects.message_id where distance < %(deepest)s)
select distance, {}
from (select message_id, distance from causes
    union all (select message_id, distance from effects where distance > 0 limit %(limit)s)) as linked
    join event_log using (message_id)
order by distance, time, position
""").format(COLUMNS)


def linked(connection: Connection[Any], message_id: UUID, limit: int = 1000) -> list[LinkedEvent]:
    """A message with its causes and its nearest effects, at most `limit`; each behind the message that caused it."""
    values = {"message_id": message_id, "deepest": MAX_DEPTH, "limit": limit}
    return select(connection, LinkedEvent, LINKED, values)
