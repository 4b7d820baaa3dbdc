"""What operators do to failure groups, runs of retries and the consumer group: append-only, with actor and reason."""

from collections.abc import Mapping
from typing import Any, LiteralString

from psycopg import Connection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from ordersaga.parked.operator import Operator

RECORD = """
insert into operator_actions (action, failure, run, actor, reason, details)
values (%(action)s, %(failure)s, %(run)s, %(actor)s, %(reason)s, %(details)s)
"""

NO_DETAILS: Mapping[str, Any] = {}


def record(
    connection: Connection[Any],
    action: str,
    operator: Operator,
    failure: str | None = None,
    run: int | None = None,
    details: Mapping[str, Any] = NO_DETAILS,
) -> None:
    """Record an action; call it in the transaction of the action."""
    about = {"action": action, "failure": failure, "run": run, "details": Jsonb(dict(details))}
    connection.execute(RECORD, {**operator.storable()._asdict(), **about})


COLUMNS: LiteralString = "position, action, failure, run, actor, reason, acted_at, details"
OF_FAILURE = f"""
select {COLUMNS} from operator_actions where failure = %s order by position desc limit %s
"""  # noqa: S608 - a constant


def of_failure(connection: Connection[Any], failure: str, limit: int = 100) -> list[dict[str, Any]]:
    """What people did to a failure group, the newest first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(OF_FAILURE, (failure, limit)).fetchall()
