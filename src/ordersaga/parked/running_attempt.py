"""An action on a message that a worker retries just now: no further attempt begins, and the running one may end."""

import time
from typing import Any
from uuid import UUID

import psycopg
from psycopg import Connection

from ordersaga.parked import operations
from ordersaga.parked.inspection import refusals
from ordersaga.parked.refused_by import RefusedBy

WAIT_SECONDS = 5.0
"""For so long an action waits for a running attempt to end."""
KEPT_SECONDS = 60.0
"""For so long no attempt begins after an action has announced itself, unless the action comes before."""
POLL_SECONDS = 0.02

# In the order in which attempts lock the rows of a key.
WANT = """
with wanted as (select position from parked_messages where message_id = any(%s) order by position for update)
update parked_messages set wanted_until = now() + make_interval(secs => %s)
where position in (select position from wanted)
"""
LET_GO = "update parked_messages set wanted_until = null where message_id = any(%s) and wanted_until is not null"
LOCK_TIMEOUT = "select set_config('lock_timeout', %s, true)"
UNDER_WAY = "select exists (select from parked_messages where message_id = any(%s) and tried_at is not null)"
NOW = "select state, attempts, edits from parked_messages where message_id = %s"


class AttemptRuns(Exception):
    """An attempt at the message runs in a transaction that does not end in time."""


def await_end(connection: Connection[Any], ids: list[UUID], seconds: float = WAIT_SECONDS) -> None:
    """Let no further attempt at these messages begin, and wait for those under way.

    An outside step that is not back in time is not waited for: the action comes before its result, which is dropped.

    Raises:
        AttemptRuns: a reaction has not ended in time.
    """
    end = time.monotonic() + seconds
    want(connection, ids, seconds)
    while time.monotonic() < end and is_under_way(connection, ids):
        time.sleep(POLL_SECONDS)


def want(connection: Connection[Any], ids: list[UUID], seconds: float) -> None:
    """Waits for the row locks of attempts."""
    try:
        with connection.transaction():
            connection.execute(LOCK_TIMEOUT, (f"{max(1, round(seconds * 1000))}ms",))
            connection.execute(WANT, (ids, KEPT_SECONDS))
    except psycopg.errors.LockNotAvailable:
        raise AttemptRuns(f"an attempt has been running for more than {seconds:.0f} s and has not ended") from None


def is_under_way(connection: Connection[Any], ids: list[UUID]) -> bool:
    row = connection.execute(UNDER_WAY, (ids,)).fetchone()
    return bool(row and row[0])


def version_by_person(
    connection: Connection[Any], message_id: UUID, seen: str | None, refused_by: RefusedBy | None
) -> str | None:
    """The version to act on: the present one if only workers have changed the message since `seen`, else `seen`.

    A worker raises the number of attempts; a person sets it back to 0, or raises the number of edits. Call it after
    `await_end`, while no attempt can begin.
    """
    if seen is None or refused_by == "broker" or "reaction" not in refusals(connection, message_id):
        return seen
    now = connection.execute(NOW, (message_id,)).fetchone()
    try:
        _, attempts, edits = seen.split(".")
        if now is None or int(attempts) > now[1] or int(edits) != now[2]:
            return seen
    except ValueError:
        return seen
    return operations.version(*now)


def let_go(connection: Connection[Any], ids: list[UUID]) -> None:
    """Attempts at these messages may begin again: the action was refused."""
    connection.execute(LET_GO, (ids,))
