"""The audit trail: who did what, when, why and where, with the outcome; operators' actions included."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Connection
from pydantic import ConfigDict

from ordersaga.readside.rows import Row
from projections.service import projections
from projections.views import sagas

PAGE = 500
OPERATOR = "operator."
"""The prefix of the type of an operator's action, such as operator.skip."""
OPERATIONS = tuple(OPERATOR + action for action in ("retry", "edit", "skip", "erase", "note"))


class TrailEntry(Row):
    """Who did what, when, why and where, with the outcome."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    time: datetime
    id: str
    """The id of a message; for an operator's action the database and its number there."""
    who: str
    what: str
    """A contract, or an operator's action such as operator.skip."""
    key: str | None
    """The order, or the SKU."""
    why: str
    where: str
    """The service; for an operator's action the group."""
    cause: UUID | None
    """The message that this reacts to, or that the operator acted on."""
    correlation: UUID | None
    outcome: str
    """The current state of an order; for an operator's action the error of the message."""


class TrailCursor(NamedTuple):
    """The place of the last entry of a page; the next page begins behind it."""

    time: datetime
    id: str


@dataclass(frozen=True)
class TrailFilter:
    """None filters nothing; `since` is included, `until` is not."""

    order: str | None = None
    actor: str | None = None
    correlation: UUID | None = None
    type: str | None = None
    since: datetime | None = None
    until: datetime | None = None


MESSAGES = """
select m.time, m.message_id::text, m.actor, m.contract, m.key,
    concat_ws(', ', m.body ->> 'reason', 'after ' || cause.contract), m.source, m.causation_id, m.correlation_id,
    coalesce(saga.state || coalesce(', waits for ' || saga.waits_for, ''), '')
from event_log m
left join event_log cause on cause.message_id = m.causation_id
left join saga_view saga on saga.order_id = case when m.contract = any(%(of_orders)s) then m.key::uuid end
where {where} order by m.time {sort}, m.message_id {sort} limit %(limit)s
"""
MESSAGE_CLAUSES = {
    "order": "m.key = %(order)s",
    "actor": "m.actor = %(actor)s",
    "correlation": "m.correlation_id = %(correlation)s",
    "type": "m.contract = %(type)s",
    "since": "m.time >= %(since)s",
    "until": "m.time < %(until)s",
    "after": 'm.time >= %(time)s and (m.time, m.message_id::text collate "C") > (%(time)s, %(id)s)',
    "before": 'm.time <= %(time)s and (m.time, m.message_id::text collate "C") < (%(time)s, %(id)s)',
}
ACTIONS = """
select acted_at, id, actor, 'operator.' || action, key, reason, %(group)s::text, message_id, correlation_id,
    concat_ws(': ', nullif(case refused_by when 'broker' then message else error end, ''), contract)
from (select *, %(group)s || ':' || lpad(position::text, 20, '0') as id from parked_actions) m
where {where} order by acted_at {sort}, id {sort} limit %(limit)s
"""
ACTION_CLAUSES = {
    "order": "key = %(order)s",
    "actor": "actor = %(actor)s",
    "correlation": "message_id = any(%(messages)s)",
    "type": "action = %(action)s",
    "since": "acted_at >= %(since)s",
    "until": "acted_at < %(until)s",
    "after": 'acted_at >= %(time)s and (acted_at, id collate "C") > (%(time)s, %(id)s)',
    "before": 'acted_at <= %(time)s and (acted_at, id collate "C") < (%(time)s, %(id)s)',
}
ERASURES = """
select erased_at, id, erased_by, 'operator.erase', subject, reason, %(group)s::text, null::uuid, null::uuid, 'erased'
from (select erased_at, erased_by, reason, subject, %(group)s || ':' || min(id::text) as id from personal_keys
    where erased_at is not null group by 1, 2, 3, 4) m
where {where} order by erased_at {sort}, id {sort} limit %(limit)s
"""
NOTES = """
select noted_at, id, actor, 'operator.note', order_id::text, text, %(group)s::text, null::uuid, null::uuid, ''
from (select *, %(group)s || ':note:' || lpad(position::text, 20, '0') as id from order_notes) m
where {where} order by noted_at {sort}, id {sort} limit %(limit)s
"""
NOTE_CLAUSES = {
    "order": "order_id::text = %(order)s",
    "actor": "actor = %(actor)s",
    "correlation": "false",
    "type": "%(action)s = 'note'",
    "since": "noted_at >= %(since)s",
    "until": "noted_at < %(until)s",
    "after": 'noted_at >= %(time)s and (noted_at, id collate "C") > (%(time)s, %(id)s)',
    "before": 'noted_at <= %(time)s and (noted_at, id collate "C") < (%(time)s, %(id)s)',
}
ERASURE_CLAUSES = {
    "order": "false",
    "actor": "erased_by = %(actor)s",
    "correlation": "false",
    "type": "%(action)s = 'erase'",
    "since": "erased_at >= %(since)s",
    "until": "erased_at < %(until)s",
    "after": '(erased_at, id collate "C") > (%(time)s, %(id)s)',
    "before": '(erased_at, id collate "C") < (%(time)s, %(id)s)',
}
# A message that the broker refused, or that the read side itself has parked, is not in the event log.
LOGGED = """
select message_id from event_log where correlation_id = %(correlation)s
union all select message_id from parked_messages where headers ->> 'ce-correlationid' = %(correlation)s::text
"""
ACTED_ON = "select message_id from parked_actions where correlation_id = %(correlation)s"
ACTED_ON_KEY = "select 1 from parked_actions where key = %s limit 1"
LOGGED_KEY = "select 1 from event_log where key = %s limit 1"


class Trail:
    """The trail, read from the read side's database and those of the groups with operators' actions."""

    def __init__(self, databases: Mapping[str, Connection[Any]]) -> None:
        """`databases` by name; the read side's is required, the others add their operators' actions."""
        self._databases = databases

    def entries(self, asked: TrailFilter) -> Iterator[TrailEntry]:
        """All entries, oldest first, read page by page."""
        behind: TrailCursor | None = None
        while page := self.page(asked, behind):
            yield from page
            behind = TrailCursor(page[-1].time, page[-1].id)

    def page(
        self, asked: TrailFilter, behind: TrailCursor | None = None, limit: int = PAGE, *, newest_first: bool = False
    ) -> list[TrailEntry]:
        """At most `limit` entries behind the last one of the page before, in the order of that page."""
        values: dict[str, Any] = {
            **vars(asked),
            "limit": limit,
            "of_orders": sagas.NAMES_OF_ORDERS,
            "sort": "desc" if newest_first else "asc",
        }
        if behind:
            values |= {**behind._asdict(), "before" if newest_first else "after": behind}
        operation = (asked.type or "").removeprefix(OPERATOR)
        is_operation = asked.type in OPERATIONS
        found: list[TrailEntry] = []
        if not is_operation:
            found += self._rows(projections.name, MESSAGES, MESSAGE_CLAUSES, values)
        if asked.type is None or is_operation:
            values["action"] = operation
            if asked.correlation:
                values["messages"] = self._messages(asked.correlation)
            found += self._rows(projections.name, NOTES, NOTE_CLAUSES, values)
            for group in self._databases:
                found += self._rows(group, ACTIONS, ACTION_CLAUSES, values)
                found += self._rows(group, ERASURES, ERASURE_CLAUSES, values)
        return sorted(found, key=lambda entry: (entry.time, entry.id), reverse=newest_first)[:limit]

    def _messages(self, correlation: UUID) -> list[UUID]:
        """All messages of one request on which operators may have acted, anywhere."""
        queries = [(connection, ACTED_ON) for connection in self._databases.values()]
        queries.append((self._databases[projections.name], LOGGED))
        return [
            id_ for connection, query in queries for (id_,) in connection.execute(query, {"correlation": correlation})
        ]

    def _rows(self, database: str, query: str, clauses: Mapping[str, str], values: dict[str, Any]) -> list[TrailEntry]:
        wanted = [text for name, text in clauses.items() if values.get(name) is not None]
        statement = query.format(where=" and ".join(wanted) or "true", sort=values["sort"])
        rows = self._databases[database].execute(statement, {**values, "group": database})
        return [TrailEntry(**dict(zip(TrailEntry.model_fields, row, strict=True))) for row in rows]


def is_known(databases: Mapping[str, Connection[Any]], order: str) -> bool:
    """Whether there is a message of the order, or an operator's action on one."""
    queries = [(databases[projections.name], LOGGED_KEY), *((each, ACTED_ON_KEY) for each in databases.values())]
    return any(connection.execute(query, (order,)).fetchone() for connection, query in queries)
