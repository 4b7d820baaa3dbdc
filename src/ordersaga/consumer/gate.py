"""The gate of a group: workers consume while they share its lock; a change of the queues locks it exclusively."""

from typing import Any

import psycopg
from psycopg import Connection

from ordersaga.database.locks import BRIEFLY, GROUP_GATE
from ordersaga.runtime.errors import Unavailable
from ordersaga.runtime.links import DatabaseLink

ENTER = "select pg_advisory_lock_shared(%s, %s)"
IS_WANTED = """
select exists (
    select from pg_locks
    where locktype = 'advisory' and classid = %s and objid = %s and objsubid = 2 and not granted
        and mode = 'ExclusiveLock' and database = (select oid from pg_database where datname = current_database()))
"""


class GatedLink(DatabaseLink):
    """A connection that shares the gate's lock for as long as it is open."""

    def connection(self) -> Connection[Any]:
        """Open the connection if there is none. Raises Unavailable also while the queues are being changed."""
        before = self._connection
        connection = super().connection()
        if connection is not before:
            try:
                enter(connection)
            except BaseException:
                self.close()
                raise
        return connection


def enter(connection: Connection[Any]) -> None:
    """Share the gate's lock; wait a second at most, so that the worker can stop, and continues soon after a change.

    Raises:
        Unavailable: the queues are being changed.
    """
    try:
        with connection.transaction():
            connection.execute(BRIEFLY)
            connection.execute(ENTER, GROUP_GATE)
    except psycopg.errors.LockNotAvailable:
        raise Unavailable("the queues of this group are being changed") from None


def is_wanted(connection: Connection[Any]) -> bool:
    """Whether a change of the queues waits for the workers to release the gate."""
    row = connection.execute(IS_WANTED, GROUP_GATE).fetchone()
    return bool(row and row[0])
