"""The pause of a consumer group: while it lasts, no worker receives or retries. The newest recorded action decides."""

from datetime import datetime
from typing import Any, NamedTuple

from psycopg import Connection
from psycopg.rows import class_row

from ordersaga.database.locks import GROUP_PAUSE, UNTIL_COMMIT
from ordersaga.parked import operator_actions
from ordersaga.parked.operator import Operator

NEWEST = """
select action, acted_at, actor, reason from operator_actions
where action in ('pause', 'resume') order by position desc limit 1
"""
IS_PAUSED = f"coalesce((select action = 'pause' from ({NEWEST}) as newest), false)"  # noqa: S608 - a constant
CURRENT = f"select acted_at as since, actor, reason from ({NEWEST}) as newest where action = 'pause'"  # noqa: S608


class Pause(NamedTuple):
    """Since when a group is paused, by whom, and why."""

    since: datetime
    actor: str
    reason: str

    def __str__(self) -> str:
        return f"paused by {self.actor} since {self.since:%Y-%m-%d %H:%M:%S%z}: {self.reason}"


def current(connection: Connection[Any]) -> Pause | None:
    """The pause of the group whose database this is; None while it receives."""
    with connection.cursor(row_factory=class_row(Pause)) as cursor:
        return cursor.execute(CURRENT).fetchone()


def pause(connection: Connection[Any], operator: Operator) -> tuple[Pause, bool]:
    """Pause the group. Returns the pause, and whether it began now; one that lasts already stays as it is."""
    with connection.transaction():
        connection.execute(UNTIL_COMMIT, GROUP_PAUSE)
        before = current(connection)
        if before:
            return before, False
        operator_actions.record(connection, "pause", operator)
        begun = current(connection)
        assert begun
        return begun, True


def resume(connection: Connection[Any], operator: Operator) -> Pause | None:
    """End the pause and return it; None when there was none, and then nothing is recorded."""
    with connection.transaction():
        connection.execute(UNTIL_COMMIT, GROUP_PAUSE)
        before = current(connection)
        if before:
            operator_actions.record(connection, "resume", operator)
        return before
