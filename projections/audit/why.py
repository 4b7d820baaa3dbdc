"""Why a message was sent: the messages it comes from, up to the first, and all that came of it."""

from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any
from uuid import UUID

from psycopg import Connection

AT_MOST = 2000
"""Messages shown below one; a saga has a dozen."""

COLUMNS = "message_id, causation_id, contract, source, key, time, actor, body ->> 'reason', correlation_id"
UP = f"""
with recursive up as (
    select {COLUMNS}, 0 as depth from event_log where message_id = %(id)s
    union all
    select e.message_id, e.causation_id, e.contract, e.source, e.key, e.time, e.actor, e.body ->> 'reason',
        e.correlation_id, up.depth + 1
    from up join event_log e on e.message_id = up.causation_id where up.depth < %(limit)s)
select * from up order by depth desc
"""  # noqa: S608
DOWN = f"""
with recursive down as (
    select {COLUMNS}, 0 as depth from event_log where causation_id = %(id)s
    union all
    select e.message_id, e.causation_id, e.contract, e.source, e.key, e.time, e.actor, e.body ->> 'reason',
        e.correlation_id, down.depth + 1
    from down join event_log e on e.causation_id = down.message_id where down.depth < %(limit)s)
select * from down order by depth, time, message_id limit %(limit)s
"""  # noqa: S608


@dataclass
class Node:
    """A message and what was caused by it."""

    id: UUID
    cause: UUID | None
    contract: str
    source: str
    key: str
    time: datetime
    actor: str
    reason: str | None
    correlation: UUID
    asked: bool = False
    effects: list["Node"] = field(default_factory=list)


def why(connection: Connection[Any], message_id: UUID) -> Node | None:
    """The first cause, with the way down to the message and everything below it; None when it is unknown."""
    up = [node(row) for row in connection.execute(UP, {"id": message_id, "limit": AT_MOST})]
    if not up:
        return None
    for cause, effect in pairwise(up):
        cause.effects.append(effect)
    asked = up[-1]
    asked.asked = True
    known = {asked.id: asked}
    for row in connection.execute(DOWN, {"id": message_id, "limit": AT_MOST}):
        below = known[row[0]] = node(row)
        assert below.cause is not None
        known[below.cause].effects.append(below)
    return up[0]


def node(row: tuple[Any, ...]) -> Node:
    return Node(*row[:9])
