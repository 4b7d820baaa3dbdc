"""The position up to which stored events can be read without missing one that commits late."""

import time
from typing import Any

from psycopg import Connection

from ordersaga.runtime.backoff import Backoff

BACKOFF = Backoff(first=0.0005, longest=0.02, jitter=0)

HEAD_AND_WRITERS = """
select (select max(position) from stored_events), array(
    select virtualtransaction from pg_locks
    where locktype = 'relation' and relation = 'stored_events'::regclass and mode = 'RowExclusiveLock'
        and database = (select oid from pg_database where datname = current_database())
        and pid <> pg_backend_pid())
"""


def settled_end(connection: Connection[Any], seconds: float) -> int | None:
    """The last position below which no further event can become visible; 0 when there is no event.

    Postgres assigns positions in order, but transactions commit in any order. A writer locks the table before it gets
    a position, and until it ends. So once the writers that were active when the last position was read have ended,
    every lower position is visible or never will be. This waits neither for later writers nor for transactions on
    other tables: `xid < pg_snapshot_xmin` would wait for any in the cluster, and xids are not in order of position.

    Returns None when one of those writers takes longer than `seconds` seconds.
    """
    end, writers = head_and_writers(connection)
    last, tries = time.monotonic() + seconds, 0
    while writers:
        if time.monotonic() > last:
            return None
        tries += 1
        time.sleep(BACKOFF.seconds(tries))
        writers &= head_and_writers(connection)[1]
    return end


def head_and_writers(connection: Connection[Any]) -> tuple[int, set[str]]:
    """The last visible position and the active writers: the statement takes its snapshot before it reads the locks."""
    row = connection.execute(HEAD_AND_WRITERS, prepare=True).fetchone()
    assert row is not None
    return row[0] or 0, set(row[1])


UNBROKEN = """
select count(*) from (
    select position, row_number() over (order by position) as number
    from stored_events where position > %(after)s order by position limit %(limit)s
) as following
where position = %(after)s + number
"""


def unbroken_end(connection: Connection[Any], after: int, limit: int) -> int:
    """The last position before the first gap after `after`: no event can appear below it any more."""
    row = connection.execute(UNBROKEN, {"after": after, "limit": limit}, prepare=True).fetchone()
    assert row is not None
    return after + int(row[0])
