"""Party: the session in Postgres that a finding is about, and its statement without values."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from psycopg import Connection

HIDDEN = "<insufficient privilege>"
"""The statement of another role's session, without the right to read it."""
COLUMNS = (
    "a.pid, a.application_name, host(a.client_addr), a.datname::text, a.usename::text, a.state, a.xact_start, a.query"
)
"""Of `pg_stat_activity a`, for `party_of`."""
WIDTH = len(COLUMNS.split(", "))
LONGEST = 160
"""Characters of a statement that are shown."""

# Names and comments are matched too, so that a quote in them does not begin a text. What Postgres has cut off in the
# middle ends at the end.
TOKENS = re.compile(
    r"""(?P<name>"(?:[^"]|"")*(?:"|\Z))
    | (?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))
    | \$(?P<tag>[A-Za-z_]\w*|)\$.*?(?:\$(?P=tag)\$|\Z)
    | [eE]'(?:[^'\\]|''|\\.)*(?:'|\Z)
    | '(?:[^']|'')*(?:'|\Z)
    | (?<![\w$.])\d[\d_.]*(?:[eE][+-]?\d+)?\b""",
    re.VERBOSE | re.DOTALL,
)
OF_PIDS = f"select {COLUMNS} from pg_stat_activity a where a.pid = any(%s)"  # noqa: S608 - constants


class Party(NamedTuple):
    """A session; None where the account may not see it."""

    pid: int
    application_name: str
    client: str | None
    database: str | None
    role: str | None
    state: str | None
    transaction_since: datetime | None
    statement: str | None
    """The statement that runs, or the last one: shortened, and `?` in place of every value."""


def party_of(row: tuple[Any, ...]) -> Party:
    """The party in the first columns of a row."""
    party = Party._make(row[:WIDTH])
    statement = "" if party.statement == HIDDEN else party.statement
    return party._replace(statement=shortened(statement) if statement else None)


def parties(connection: Connection[Any], pids: Iterable[int]) -> dict[int, Party]:
    """By process id, the sessions that still exist."""
    return {row[0]: party_of(row) for row in connection.execute(OF_PIDS, (list(pids),))}


def shortened(statement: str) -> str:
    """The statement in one line, without comments and values."""
    text = " ".join(TOKENS.sub(without_value, statement).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def without_value(token: re.Match[str]) -> str:
    if token["comment"] is not None:
        return " "
    return token[0] if token["name"] is not None else "?"


def terminate(pid: int) -> str:
    """The statement that ends a session."""
    return f"select pg_terminate_backend({pid})"


def cancel(pid: int) -> str:
    """The statement that ends what a session runs."""
    return f"select pg_cancel_backend({pid})"
