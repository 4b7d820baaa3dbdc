"""The swap, in which the shadow replaces the live tables, and the removal of the replaced ones."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from psycopg import Connection
from psycopg.errors import DeadlockDetected, LockNotAvailable
from psycopg.sql import SQL, Identifier

from ordersaga.readside.rebuild import shadow
from ordersaga.readside.rebuild.session import RebuildRefused
from ordersaga.runtime import failpoints

Returned = TypeVar("Returned")
LOG = "event_log"
"""Locked in any case: whoever writes to a view has written to the log before."""
LOCK_TIMEOUT = "200ms"
"""New readers wait no longer than this. It is shorter than deadlock_timeout, so no other session becomes a victim."""
ATTEMPTS = 60
PAUSE_SECONDS = 0.25
USERS = """
select coalesce(string_agg(distinct format('process %s (%s): %s', pid, application_name, left(query, 100)), '; '), '')
from pg_locks join pg_stat_activity using (pid)
where relation = any(%s::regclass[]) and pid <> pg_backend_pid() and granted
"""
DEPENDENT_VIEWS = """
select coalesce(string_agg(distinct c.oid::regclass::text, ', '), '')
from pg_depend d join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
    join pg_class c on c.oid = r.ev_class
where d.refclassid = 'pg_class'::regclass and d.refobjid = any(%s::regclass[])
"""


class TablesInUse(Exception):
    """Other sessions hold locks on the tables all the time."""


def refuse_dependent_views(connection: Connection[Any], tables: Sequence[str]) -> None:
    """Raises RebuildRefused when a database view reads a table: it would keep reading the replaced one."""
    row = connection.execute(DEPENDENT_VIEWS, ([f"public.{table}" for table in tables],)).fetchone()
    if row and row[0]:
        raise RebuildRefused(
            f"{row[0]} reads what is to be replaced and would go with it. Drop it, and make it again after."
        )


def swap(
    connection: Connection[Any], tables: Sequence[str], approach: Callable[[], object], prepare: Callable[[], Returned]
) -> Returned:
    """Complete the shadow with `prepare` and put it in place, in one transaction that excludes all other sessions.

    `approach` is called before each attempt, so that little is left for `prepare`. Returns what `prepare` returned in
    the attempt that succeeded; every other attempt was rolled back.

    It locks the tables and not the log's own lock: the projector takes that lock after it has read the log. A swap that
    held the lock and waited for the tables would wait for the projector, which waits for the swap: 30 attempts in a row
    failed so, beside 40 messages a second.

    Raises RebuildRefused when other sessions hold the tables all the time.
    """
    names = SQL(", ").join(Identifier("public", table) for table in dict.fromkeys((LOG, *tables)))

    def change() -> Returned:
        connection.execute("set local synchronous_commit = on")
        connection.execute(SQL("lock table {} in access exclusive mode").format(names))
        returned = prepare()
        shadow.move_into_place(connection, tables)
        failpoints.reach("rebuild.before-commit")
        return returned

    try:
        return with_short_lock_timeout(connection, change, approach)
    except TablesInUse:
        row = connection.execute(USERS, ([f"public.{table}" for table in tables],)).fetchone()
        users = row and row[0]
        raise RebuildRefused(
            f"The tables are in use all the time, so nothing was changed. Used by {users}. Try again."
        ) from None


def drop_replaced(connection: Connection[Any]) -> None:
    """Drop the replaced tables; if other sessions use them all the time, the next rebuild drops them.

    A statement that was planned before the swap still reads them, and takes its locks in another sequence.
    """
    with suppress(TablesInUse):
        with_short_lock_timeout(connection, lambda: connection.execute("drop schema if exists replaced cascade"))


def no_op() -> None:
    """Nothing precedes an attempt."""


def with_short_lock_timeout(
    connection: Connection[Any], work: Callable[[], Returned], before: Callable[[], object] = no_op
) -> Returned:
    """Do the work in a transaction with a lock timeout so short that it stops nobody; repeat it after a timeout.

    Raises TablesInUse after the last attempt; every attempt was rolled back.
    """
    for _ in range(ATTEMPTS):
        before()
        try:
            with connection.transaction():
                connection.execute(SQL("set local lock_timeout = {}").format(LOCK_TIMEOUT))
                return work()
        except (LockNotAvailable, DeadlockDetected):
            time.sleep(PAUSE_SECONDS)
    raise TablesInUse
