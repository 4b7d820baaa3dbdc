"""The session of a relay in a service database: on a server that is safe to publish from, one leader at a time."""

from typing import Any

from psycopg import Connection

from ordersaga.database.locks import RELAY_LEAD, try_lock
from ordersaga.runtime import sessions

# A crash may set the cursor back; the relay then publishes copies, which every inbox drops by id. So its moves need
# not wait for the disk (decision 26). Plans are made once: planning took three quarters of a statement that lists a
# window. A generic plan takes the few new rows for a third of the table, so sequential scans are off (`RELAY`).
SETTINGS = """
select set_config('synchronous_commit', 'off', false),
       set_config('plan_cache_mode', 'force_generic_plan', false),
       set_config('jit', 'off', false)
"""


class UnsafeServer(Exception):
    """Publishing from this server could lose messages, or publish what a crash takes back."""


def connect(url: str, what: str = "relay") -> Connection[Any]:
    """A session for a relay, or for another part of it, named after its host and process in pg_stat_activity.

    Raises:
        psycopg.OperationalError: the server is away or refuses.
        UnusableDatabase: it answers, but cannot be used.
    """
    return sessions.connect(url, sessions.of_this_process(what), sessions.RELAY)


def prepare(connection: Connection[Any], unsafe_durability: bool) -> None:
    """Refuse an unsafe server, then set what the session needs.

    Raises:
        UnsafeServer: a standby, which is read-only, or a server that loses commits when it crashes.
    """
    if fetch_one(connection, "select pg_is_in_recovery()"):
        raise UnsafeServer("the server is a standby: point the relay at the primary")
    found = dangers(connection)
    if found and not unsafe_durability:
        raise UnsafeServer("; ".join(found))
    connection.execute(SETTINGS)


# A setting of a role overrides those of the database and the server; a session sees only its own role's.
UNSAFE_ROLES = """
select string_agg(distinct rolname, ', ') from pg_db_role_setting join pg_roles r on r.oid = setrole
where 'synchronous_commit=off' = any (setconfig) and rolname <> current_user
    and setdatabase in (0, (select oid from pg_database where datname = current_database()))
"""
TAKEN_BACK = "a crash would take back what is already published"


def dangers(connection: Connection[Any]) -> list[str]:
    """The reasons why the server is unsafe, each a sentence with its remedy."""
    found = []
    if fetch_one(connection, "select current_setting('fsync')") == "off":
        found.append(f"fsync is off: {TAKEN_BACK}. Set fsync = on")
    if fetch_one(connection, "select current_setting('synchronous_commit')") == "off":
        found.append(f"synchronous_commit is off: {TAKEN_BACK}. Set it to on for this database")
    if roles := fetch_one(connection, UNSAFE_ROLES):
        found.append(f"synchronous_commit is off for the role {roles}: {TAKEN_BACK}. Reset it")
    return found


def fetch_one(connection: Connection[Any], query: str) -> Any:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def try_to_lead(connection: Connection[Any]) -> bool:
    """Become the leader of this database until the session ends. Returns False while another relay leads."""
    return try_lock(connection, RELAY_LEAD)


def keep_alive(connection: Connection[Any]) -> None:
    """Send an empty statement, which keeps the session; raises when the session is lost."""
    connection.execute("")
