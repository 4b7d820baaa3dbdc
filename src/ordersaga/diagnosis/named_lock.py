"""The advisory locks with a name that sessions hold or wait for in a database: relays, workers, commands."""

from typing import Any, NamedTuple

from psycopg import Connection

from ordersaga.database.locks import GROUP_GATE, MIGRATION, NAMES, SPACE
from ordersaga.diagnosis.party import COLUMNS, WIDTH, Party, party_of

MIGRATION_NAME = "migration"
LOCKS = f"""
select {COLUMNS}, l.classid::bigint, l.objid::bigint, l.objsubid, l.mode, l.granted
from pg_locks l join pg_stat_activity a using (pid)
where l.locktype = 'advisory' and l.database = (select oid from pg_database where datname = current_database())
    and (l.classid = {SPACE} and l.objsubid = 2 or l.objsubid = 1
        and l.classid = {MIGRATION >> 32} and l.objid = {MIGRATION & 0xFFFFFFFF})
order by l.objid, l.granted desc, a.backend_start, l.pid
"""  # noqa: S608 - constants


class NamedLock(NamedTuple):
    """A lock that a session has, or waits for."""

    place: str
    """The database."""
    name: str
    is_shared: bool
    is_held: bool
    who: Party

    @property
    def is_of_worker(self) -> bool:
        """Whether this is the gate of the group that each of its workers shares."""
        return self.name == NAMES[GROUP_GATE] and self.is_shared and self.is_held


def lock_name(classid: int, objid: int, objsubid: int) -> str:
    """The name of an advisory lock."""
    if objsubid == 1:
        return MIGRATION_NAME if (classid << 32 | objid) == MIGRATION else "lock of an aggregate"
    return NAMES.get((classid, objid), "lock of a key")


def named_locks(connection: Connection[Any], place: str) -> list[NamedLock]:
    """Those of the connection's database, the holders of each lock first."""
    found = []
    for row in connection.execute(LOCKS):
        *key, mode, granted = row[WIDTH:]
        found.append(NamedLock(place, lock_name(*key), mode == "ShareLock", granted, party_of(row)))
    return found
