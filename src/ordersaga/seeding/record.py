"""The record of a seeding in the database of its group: since when the group has every message, and who seeded it."""

from datetime import datetime
from typing import Any

from psycopg import Connection

from ordersaga.parked import operator_actions
from ordersaga.parked.operator import Operator

IS_BEING_SEEDED = "select being_seeded from group_history"
BEGUN = """
select coalesce(min(acted_at), now()) from operator_actions
where action = 'begin seeding' and position > (
    select coalesce(max(position), 0) from operator_actions where action = 'complete seeding')
"""
RECEIVED = """
select (select count(*) from (select from inbox limit 1000) as received),
    (select count(*) from (select from parked_messages limit 1000) as parked)
"""
BEGIN = "update group_history set being_seeded = true"
COMPLETE = "update group_history set being_seeded = false, received_from = %s"


def is_being_seeded(group: Connection[Any]) -> bool:
    """Whether a seeding has begun and is not complete."""
    row = group.execute(IS_BEING_SEEDED).fetchone()
    return bool(row and row[0])


def begun(group: Connection[Any]) -> datetime:
    """When the seeding that is not complete began first."""
    row = group.execute(BEGUN).fetchone()
    assert row is not None
    return row[0]  # type: ignore[no-any-return]


def received(group: Connection[Any]) -> int:
    """How many messages the group has received or parked, up to a thousand of each."""
    [(inbox, parked)] = group.execute(RECEIVED).fetchall()
    return int(inbox + parked)


def begin(group: Connection[Any], operator: Operator, since: datetime | None) -> None:
    """Record that history is on its way."""
    with group.transaction():
        group.execute(BEGIN)
        operator_actions.record(group, "begin seeding", operator, details=details(since))


def complete(group: Connection[Any], operator: Operator, since: datetime | None, messages: int) -> None:
    """Record that the group has every message since this time, or every one."""
    with group.transaction():
        group.execute(COMPLETE, (since,))
        operator_actions.record(group, "complete seeding", operator, details={**details(since), "messages": messages})


def details(since: datetime | None) -> dict[str, Any]:
    return {"since": since and since.isoformat()}
