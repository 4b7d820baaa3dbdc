"""The advisory locks of a database that have a number: no two may have the same.

They are pairs of 32-bit keys, a space apart from the single 64-bit keys that writers take on aggregates. Locks on
something that has a name (a parked key, an idempotency key) are pairs of another first key or of a hash.
"""

from typing import Any

from psycopg import Connection

SPACE = 7236
RELAY_LEAD = (SPACE, 843)
"""Held by the active relay of the database."""
GROUP_GATE = (SPACE, 844)
"""Held together by the workers of a group, alone by who changes its queues."""
REBUILD = (SPACE, 845)
"""Held by the one rebuild of the read side."""
EVENT_LOG = (SPACE, 846)
"""Held by the one writer of the event log until its transaction ends."""
MIGRATION = 7_236_843_021
"""One 64-bit key: two processes that start at once migrate one after the other."""


def try_lock(connection: Connection[Any], lock: tuple[int, int]) -> bool:
    """Take a lock until the session ends. Returns False when another session holds it."""
    row = connection.execute("select pg_try_advisory_lock(%s, %s)", lock).fetchone()
    assert row is not None
    return bool(row[0])
