"""The numbers of the advisory locks of a database; each is used for one lock.

The numbers are pairs of 32-bit keys. Locks on aggregates are single 64-bit keys, so the two never collide. Locks on
things with a name (a parked key, an idempotency key) are pairs with another first key, or hashes.
"""

from typing import Any

from psycopg import Connection

from ordersaga.runtime.errors import Unavailable

SPACE = 7236
RELAY_LEAD = (SPACE, 843)
"""Held by the active relay of the database."""
GROUP_GATE = (SPACE, 844)
"""Shared by the workers of a group; held exclusively while the number of its queues changes."""
REBUILD = (SPACE, 845)
"""Held by the rebuild of the read side; one rebuild runs at a time."""
EVENT_LOG = (SPACE, 846)
"""Held by the writer of the event log until its transaction ends."""
GROUP_PAUSE = (SPACE, 847)
"""Held while a person pauses or resumes the group."""
RETRY_RUNS = (SPACE, 848)
"""Held while a run of retries is started."""
RETRY_RUNNER = (SPACE, 849)
"""Held by the worker that advances the runs of retries, for one step."""
WEBHOOK_LEAD = (SPACE, 850)
"""Held by the active webhook process of a read side."""
SEEDING = (SPACE, 851)
"""Held in the database of a group by the command that seeds it, from its beginning to its end."""
MIGRATION = 7_236_843_021
"""A single 64-bit key. Two processes that start at the same time migrate one after the other."""

NAMES = {
    RELAY_LEAD: "lead of the relays",
    GROUP_GATE: "gate of the workers",
    REBUILD: "rebuild of the read side",
    EVENT_LOG: "event log",
    GROUP_PAUSE: "pause of the group",
    RETRY_RUNS: "start of a run of retries",
    RETRY_RUNNER: "step of the runs of retries",
    WEBHOOK_LEAD: "lead of the webhooks",
    SEEDING: "seeding of the group",
}
"""The names of the locks in texts for people."""


BRIEFLY = "set local lock_timeout = '1s'"
"""Until the transaction ends, its statements wait for any lock no longer than this."""
UNTIL_COMMIT = "select pg_advisory_xact_lock(%s, %s)"
"""Takes a lock, after waiting for it, until the transaction ends."""
TRY_LOCK = "select pg_try_advisory_lock(%s, %s)"
UNLOCK = "select pg_advisory_unlock(%s, %s)"


def try_lock(connection: Connection[Any], lock: tuple[int, int]) -> bool:
    """Take a lock until the session ends. Returns False when another session holds it."""
    row = connection.execute(TRY_LOCK, lock).fetchone()
    assert row is not None
    return bool(row[0])


EVERYBODYS = """
select case locktype when 'relation' then 'table ' || relation::regclass else 'event log' end, l.pid, a.usename
from pg_locks l left join pg_class on pg_class.oid = relation left join pg_stat_activity a on a.pid = l.pid
where granted and l.pid <> pg_backend_pid()
    and l.database = (select oid from pg_database where datname = current_database())
    and (locktype = 'relation' and relkind in ('r', 'p') and relpersistence <> 't'
            and mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
        or locktype = 'advisory' and classid = %s and objid = %s and objsubid = 2)
limit 1
"""


def refuse_locked_tables(connection: Connection[Any], error: Exception) -> None:
    """After a lock timeout: raises Unavailable if a session holds a lock that every message needs, and names it.

    A locked table, by LOCK TABLE or a migration, keeps out every message. Any other lock keeps out those that need it.
    """
    row = connection.execute(EVERYBODYS, EVENT_LOG).fetchone()
    if row:
        what, pid, user = row
        raise Unavailable(f"the {what} is locked by process {pid} ({user})") from error
