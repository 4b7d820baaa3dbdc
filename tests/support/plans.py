"""The plan by which a session really executes a prepared statement, and how many rows it reads."""

import re
from collections.abc import Mapping
from typing import Any

from psycopg import Connection
from psycopg.sql import SQL, Identifier, Literal

NAME = "select name from pg_prepared_statements where statement = %s order by prepare_time desc limit 1"
"""The newest: a session that was used before has the same text for parameters of other types too."""


def plan_of(connection: Connection[Any], statement: str, parameters: Mapping[str, Any]) -> str:
    """Execute the statement twice; a generic plan is the one that was made at its first execution."""
    connection.execute(statement.encode(), parameters, prepare=True)
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", statement)))
    sent = re.sub(r"%\((\w+)\)s", lambda found: f"${names.index(found[1]) + 1}", statement)
    values = SQL("({})").format(SQL(", ").join(Literal(parameters[name]) for name in names)) if names else SQL("")
    [(name,)] = connection.execute(NAME, (sent,), prepare=False)
    explain = SQL("explain (analyze, costs off) execute {} {}").format(Identifier(name), values)
    return "\n".join(row[0] for row in connection.execute(explain, prepare=False))


def rows_read(plan: str) -> int:
    """The most rows that any node of the plan read or dropped."""
    return max(int(number) for number in re.findall(r"(?:rows=|Rows Removed by Filter: )(\d+)", plan))
