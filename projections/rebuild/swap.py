"""The moment in which the shadow takes the place of the live tables, and the end of those."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from psycopg import Connection
from psycopg.errors import DeadlockDetected, LockNotAvailable
from psycopg.sql import SQL, Identifier

from projections.rebuild import shadow
from projections.rebuild.session import Refused

Told = TypeVar("Told")
LOG = "event_log"
"""Locked in any case: whoever writes to a view has written to the log before."""
LONGEST_WAIT = "200ms"
"""For readers to end; so long do new readers wait at most. Shorter than deadlock_timeout: none is ever a victim."""
TRIES = 60
PAUSE = 0.25
USERS = """
select coalesce(string_agg(distinct format('process %s (%s): %s', pid, application_name, left(query, 100)), '; '), '')
from pg_locks join pg_stat_activity using (pid)
where relation = any(%s::regclass[]) and pid <> pg_backend_pid() and granted
"""

FOLLOWERS = """
select coalesce(string_agg(distinct c.oid::regclass::text, ', '), '')
from pg_depend d join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
    join pg_class c on c.oid = r.ev_class
where d.refclassid = 'pg_class'::regclass and d.refobjid = any(%s::regclass[])
"""


def refuse_followers(connection: Connection[Any], tables: Sequence[str]) -> None:
    """Raises Refused when a database view reads a table: it would stay with the replaced one, and go with it."""
    row = connection.execute(FOLLOWERS, ([f"public.{table}" for table in tables],)).fetchone()
    if row and row[0]:
        raise Refused(f"{row[0]} reads what is to be replaced and would go with it. Drop it, and make it again after.")


def put_in_place(
    connection: Connection[Any], tables: Sequence[str], approach: Callable[[], object], prepare: Callable[[], Told]
) -> Told:
    """In one transaction, which nobody else has a part of: `prepare` completes the shadow, then the tables change.

    Returns what `prepare` returned in the try that came off. Of the others nothing is left in the database.

    `approach` is called before each try, so that little is left for `prepare`. What is locked is the tables and not
    the log's own lock: the projector takes that one after it has read the log, so whoever holds it and waits for the
    tables waits for the projector, which waits for him. 30 tries in a row failed so, beside 40 messages a second.

    Raises Refused when readers keep hold of the tables all the time.
    """
    names = SQL(", ").join(Identifier("public", table) for table in dict.fromkeys((LOG, *tables)))

    def change() -> Told:
        connection.execute("set local synchronous_commit = on")
        connection.execute(SQL("lock table {} in access exclusive mode").format(names))
        told = prepare()
        shadow.swap(connection, tables)
        return told

    try:
        return in_short_tries(connection, change, approach)
    except InUse:
        row = connection.execute(USERS, ([f"public.{table}" for table in tables],)).fetchone()
        users = row and row[0]
        raise Refused(
            f"The tables are in use all the time, so nothing was changed. Used by {users}. Try again."
        ) from None


def clear_away(connection: Connection[Any]) -> None:
    """Drop the replaced tables as soon as nobody reads them; if somebody does all the time, the next rebuild will.

    A statement that was planned before the swap still reads them, and takes its locks in an order of its own.
    """
    with suppress(InUse):
        in_short_tries(connection, lambda: connection.execute("drop schema if exists replaced cascade"))


def nothing() -> None:
    """Before the first try, and each other."""


class InUse(Exception):
    """Somebody keeps hold of what is to be locked all the time."""


def in_short_tries(
    connection: Connection[Any], work: Callable[[], Told], before: Callable[[], object] = nothing
) -> Told:
    """Do the work in a transaction that waits for locks so briefly that it stands in nobody's way; again if it must.

    Raises InUse when no try came off; nothing is left of any then.
    """
    for _ in range(TRIES):
        before()
        try:
            with connection.transaction():
                connection.execute(SQL("set local lock_timeout = {}").format(LONGEST_WAIT))
                return work()
        except (LockNotAvailable, DeadlockDetected):
            time.sleep(PAUSE)
    raise InUse
