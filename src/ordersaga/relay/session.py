"""The relay's session in a service database: on a server that is safe to publish from, one leader at a time."""

import os
import socket
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from ordersaga.database.locks import RELAY_LEAD

SILENCE_SECONDS = 3
"""The server ends a session that says nothing or takes nothing for so long, and with it the lead of a frozen or
unreachable relay."""

CONNECT = {
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}

# A cursor that a crash sets back publishes again what every inbox drops by its id, so its moves need not wait
# for the disk. The planner must be kept from its guesses: with generic plans, or when all retained rows came from
# one transaction, it takes the few new rows for a large share of the table and reads all of it.
SETTINGS = """
select set_config('synchronous_commit', 'off', false),
       set_config('plan_cache_mode', 'force_custom_plan', false),
       set_config('enable_seqscan', 'off', false),
       set_config('jit', 'off', false),
       set_config('idle_session_timeout', %(silence)s, false),
       set_config('idle_in_transaction_session_timeout', %(silence)s, false),
       set_config('tcp_user_timeout', %(silence)s, false)
"""


class UnsafeServer(Exception):
    """Publishing from this server could lose messages or tell of what never was."""


def connect(url: str) -> Connection[Any]:
    """A session for a relay, named after its host and process in pg_stat_activity.

    Raises:
        psycopg.OperationalError: the server is away or refuses.
    """
    name = f"relay {socket.gethostname()} {os.getpid()}"
    return psycopg.connect(make_conninfo(url, **CONNECT, application_name=name), autocommit=True)


def prepare(connection: Connection[Any], unsafe_durability: bool) -> None:
    """Refuse an unsafe server, then set what the session needs.

    Raises:
        UnsafeServer: a standby, which takes no cursor either, or a server that forgets commits when it crashes.
    """
    if one(connection, "select pg_is_in_recovery()"):
        raise UnsafeServer("the server is a standby: point the relay at the primary")
    found = dangers(connection)
    if found and not unsafe_durability:
        raise UnsafeServer("; ".join(found))
    connection.execute(SETTINGS, {"silence": f"{SILENCE_SECONDS}s"})


# A role's own setting goes before the database's and the server's; the relay sees only its own.
FORGETFUL_ROLES = """
select string_agg(distinct rolname, ', ') from pg_db_role_setting join pg_roles r on r.oid = setrole
where 'synchronous_commit=off' = any (setconfig) and rolname <> current_user
    and setdatabase in (0, (select oid from pg_database where datname = current_database()))
"""
TAKEN_BACK = "a crash would take back what is already published"


def dangers(connection: Connection[Any]) -> list[str]:
    """What is wrong with the server, each in one sentence with what to do."""
    found = []
    if one(connection, "select current_setting('fsync')") == "off":
        found.append(f"fsync is off: {TAKEN_BACK}. Set fsync = on")
    if one(connection, "select current_setting('synchronous_commit')") == "off":
        found.append(f"synchronous_commit is off: {TAKEN_BACK}. Set it to on for this database")
    if roles := one(connection, FORGETFUL_ROLES):
        found.append(f"synchronous_commit is off for the role {roles}: {TAKEN_BACK}. Reset it")
    return found


def one(connection: Connection[Any], query: str) -> Any:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def try_to_lead(connection: Connection[Any]) -> bool:
    """Take the lead of this database until the session ends, unless another relay has it."""
    row = connection.execute("select pg_try_advisory_lock(%s, %s)", RELAY_LEAD).fetchone()
    assert row is not None
    return bool(row[0])


def show_life(connection: Connection[Any]) -> None:
    """One empty statement: keeps the session, and raises when it is lost."""
    connection.execute("")
