"""How far stored events can be read by position without passing one that commits late."""

import time
from typing import Any

from psycopg import Connection

from ordersaga.runtime.backoff import Backoff

BACKOFF = Backoff(first=0.0005, longest=0.02, jitter=0)

END = """
select (select max(position) from stored_events), array(
    select virtualtransaction from pg_locks
    where locktype = 'relation' and relation = 'stored_events'::regclass and mode = 'RowExclusiveLock'
        and database = (select oid from pg_database where datname = current_database())
        and pid <> pg_backend_pid())
"""


def settled_end(connection: Connection[Any], patience: float) -> int | None:
    """A position (0 when there is none yet) up to which everything that will ever be visible now is.

    Positions are given out in order, but transactions commit in any. A writer locks the table before it is given a
    position and until it has ended; so once the writers that were there when the last position was seen are gone,
    every lower one is visible or never will be. Writers who come later, and transactions that write elsewhere, are
    not waited for: `xid < pg_snapshot_xmin` would wait for any of the cluster, and xids are not in order of position.

    Returns None when one of those writers takes longer than `patience` seconds.
    """
    end, writers = look(connection)
    last, tries = time.monotonic() + patience, 0
    while writers:
        if time.monotonic() > last:
            return None
        tries += 1
        time.sleep(BACKOFF.seconds(tries))
        writers &= look(connection)[1]
    return end


def look(connection: Connection[Any]) -> tuple[int, set[str]]:
    """The last visible position, and who is writing: the statement's snapshot is older than its view of the locks."""
    row = connection.execute(END, prepare=True).fetchone()
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
    """The last position before the first gap behind `after`: nothing can appear before it any more."""
    row = connection.execute(UNBROKEN, {"after": after, "limit": limit}, prepare=True).fetchone()
    assert row is not None
    return after + int(row[0])
