"""The moment in which the shadow takes the place of the live tables."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from psycopg import Connection
from psycopg.errors import DeadlockDetected, LockNotAvailable
from psycopg.sql import SQL, Identifier

from projections import event_log
from projections.rebuild import shadow
from projections.rebuild.session import Refused

LONGEST_WAIT = "200ms"
"""For readers to end; so long do new readers wait at most. Shorter than deadlock_timeout: none is ever a victim."""
TRIES = 60
PAUSE = 0.25
USERS = """
select coalesce(string_agg(distinct format('process %s (%s): %s', pid, application_name, left(query, 100)), '; '), '')
from pg_locks join pg_stat_activity using (pid)
where relation = any(%s::regclass[]) and pid <> pg_backend_pid() and granted
"""


def put_in_place(connection: Connection[Any], tables: Sequence[str], prepare: Callable[[], None]) -> None:
    """In one transaction, in which nobody writes to the log: `prepare` completes the shadow, then the tables change.

    `prepare` is called anew on every try. Raises Refused when readers keep hold of the tables all the time.
    """
    for _ in range(TRIES):
        try:
            with connection.transaction():
                connection.execute("set local synchronous_commit = on")
                connection.execute("set local lock_timeout = '10s'")
                event_log.lock(connection)
                prepare()
                connection.execute(SQL("set local lock_timeout = {}").format(LONGEST_WAIT))
                connection.execute(
                    SQL("lock table {} in access exclusive mode").format(
                        SQL(", ").join(Identifier("public", table) for table in tables)
                    )
                )
                shadow.swap(connection, tables)
            return
        except (LockNotAvailable, DeadlockDetected):
            time.sleep(PAUSE)
    row = connection.execute(USERS, ([f"public.{table}" for table in tables],)).fetchone()
    raise Refused(f"The tables are in use all the time, so nothing was changed. Used by {row and row[0]}. Try again.")
