"""The connections of a rebuild, and the lock that lets only one run at a time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import Connection

from ordersaga.database.locks import MIGRATION, REBUILD

NAME = "ordersaga projections rebuild"
OPTIONS = " ".join(
    f"-c {setting}"
    for setting in (
        "client_connection_check_interval=1000",
        "work_mem=64MB",
        "maintenance_work_mem=128MB",
        "jit=off",
        "synchronous_commit=off",
    )
)
"""The server notices within a second that a rebuild was killed; only the swap is worth waiting for the disk."""
LEFTOVER_SECONDS = 5.0
LOOK_EVERY = 0.1

TAKE = "select pg_try_advisory_lock(%s, %s) and pg_try_advisory_lock_shared(%s)"
"""The second is the migrations' lock: nothing is migrated while tables are being made like the live ones."""
HOLDER = """
select coalesce(string_agg(format('process %%s since %%s', pid, date_trunc('second', backend_start)), ', '), '')
from pg_locks join pg_stat_activity using (pid)
where locktype = 'advisory' and classid = %s and objid = %s and granted and pid <> pg_backend_pid()
"""


class Refused(Exception):
    """The rebuild could not be done; the text says why and what to do. The live tables are as they were."""


def connect(url: str) -> Connection[Any]:
    """In autocommit."""
    return psycopg.connect(url, autocommit=True, application_name=NAME, options=OPTIONS)


@contextmanager
def only_one(url: str) -> Iterator[Connection[Any]]:
    """A connection that holds the lock until the block is left, or until this process dies.

    Raises Refused when another rebuild or a migration holds it; a rebuild killed just now is waited for.
    """
    with connect(url) as connection:
        last = time.monotonic() + LEFTOVER_SECONDS
        while not taken(connection):
            if time.monotonic() > last:
                [holder] = connection.execute(HOLDER, REBUILD).fetchone() or ("",)
                who = f"Another rebuild runs (database {holder})" if holder else "A migration runs"
                raise Refused(f"{who}. Wait for its end, or stop it, and try again.")
            time.sleep(LOOK_EVERY)
        yield connection


def taken(connection: Connection[Any]) -> bool:
    row = connection.execute(TAKE, (*REBUILD, MIGRATION)).fetchone()
    got = row is not None and bool(row[0])
    if not got:
        connection.execute("select pg_advisory_unlock_all()")
    return got
