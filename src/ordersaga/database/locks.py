"""The numbers of the advisory locks of a database; each is used for one lock.

The numbers are pairs of 32-bit keys. Locks on aggregates are single 64-bit keys, so the two never collide. Locks on
things with a name (a parked key, an idempotency key) are pairs with another first key, or hashes.
"""

from typing import Any

from psycopg import Connection

SPACE = 7236
RELAY_LEAD = (SPACE, 843)
"""Held by the active relay of the database."""
GROUP_GATE = (SPACE, 844)
"""Shared by the workers of a group; held exclusively while the number of its queues changes."""
REBUILD = (SPACE, 845)
"""Held by the rebuild of the read side; one rebuild runs at a time."""
EVENT_LOG = (SPACE, 846)
"""Held by the writer of the event log until its transaction ends."""
MIGRATION = 7_236_843_021
"""A single 64-bit key. Two processes that start at the same time migrate one after the other."""


def try_lock(connection: Connection[Any], lock: tuple[int, int]) -> bool:
    """Take a lock until the session ends. Returns False when another session holds it."""
    row = connection.execute("select pg_try_advisory_lock(%s, %s)", lock).fetchone()
    assert row is not None
    return bool(row[0])
