"""The connections of a rebuild, and the lock that excludes a second one."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg import Connection

from ordersaga.database.locks import MIGRATION, REBUILD
from ordersaga.runtime import sessions

NAME = "ordersaga projections rebuild"
SETTINGS = {
    "client_connection_check_interval": "1000",
    "work_mem": "64MB",
    "maintenance_work_mem": "128MB",
    "jit": "off",
    "synchronous_commit": "off",
}
"""The server notices within a second that a rebuild was killed; only the swap waits for the disk."""
LEFTOVER_SECONDS = 5.0
"""How long the session of a killed rebuild may keep the lock."""
POLL_SECONDS = 0.1

TAKE = "select pg_try_advisory_lock(%s, %s) and pg_try_advisory_lock_shared(%s)"
"""The second lock is that of migrations: no migration runs during a rebuild."""
HOLDER = """
select coalesce(string_agg(format('process %%s since %%s', pid, date_trunc('second', backend_start)), ', '), '')
from pg_locks join pg_stat_activity using (pid)
where locktype = 'advisory' and classid = %s and objid = %s and granted and pid <> pg_backend_pid()
"""


class RebuildRefused(Exception):
    """The rebuild could not be done; the message says why and what to do. The live tables are unchanged."""


def connect(url: str) -> Connection[Any]:
    """A connection in autocommit with the settings of a rebuild."""
    return sessions.connect(url, NAME, sessions.REBUILD, settings=SETTINGS)


@contextmanager
def exclusive(url: str) -> Iterator[Connection[Any]]:
    """A connection that holds the lock until the block or this process ends.

    Raises RebuildRefused when another rebuild or a migration holds the lock, and not just a killed rebuild's session.
    """
    with connect(url) as connection:
        last = time.monotonic() + LEFTOVER_SECONDS
        while not take_locks(connection):
            if time.monotonic() > last:
                [holder] = connection.execute(HOLDER, REBUILD).fetchone() or ("",)
                who = f"Another rebuild runs (database {holder})" if holder else "A migration runs"
                raise RebuildRefused(f"{who}. Wait for its end, or stop it, and try again.")
            time.sleep(POLL_SECONDS)
        yield connection


def take_locks(connection: Connection[Any]) -> bool:
    """Both locks or none."""
    row = connection.execute(TAKE, (*REBUILD, MIGRATION)).fetchone()
    got = row is not None and bool(row[0])
    if not got:
        connection.execute("select pg_advisory_unlock_all()")
    return got
