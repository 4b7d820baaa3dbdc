"""Locks that keep relays and workers still; they end with this process, and both go on."""

import os
import socket
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from ordersaga.cli.errors import Failed
from ordersaga.database.locks import GROUP_GATE, RELAY_LEAD
from ordersaga.relay.session import try_to_lead

SILENCE_SECONDS = 30
"""The server ends a session that says nothing for so long: a frozen command lets relays and workers go on."""
LEAVE_SECONDS = 15
"""Time for workers to bring to its end what they have in hand; they give themselves ten."""
PURPOSE = "queues set"

LEADER = """
select pid, application_name from pg_locks join pg_stat_activity using (pid)
where locktype = 'advisory' and classid = %s and objid = %s and objsubid = 2 and granted
    and database = (select oid from pg_database where datname = current_database())
"""
END_SESSION = "select pg_terminate_backend(%s, 3000)"
SHUT = "select pg_advisory_lock(%s, %s)"


def connect(name: str, url: str) -> Connection[Any]:
    """Raises Failed when the database does not answer."""
    called = f"{PURPOSE} {socket.gethostname()} {os.getpid()}"
    settings = {"application_name": called, "connect_timeout": "5"}
    try:
        connection = psycopg.connect(make_conninfo(url, **settings), autocommit=True)
        connection.execute("select set_config('idle_session_timeout', %s, false)", (f"{SILENCE_SECONDS}s",))
        connection.execute("select set_config('lock_timeout', %s, false)", (f"{LEAVE_SECONDS}s",))
    except psycopg.Error as error:
        raise Failed(f"The database of {name} does not answer: {error}. Nothing was changed.") from None
    return connection


def take_lead(name: str, connection: Connection[Any]) -> None:
    """Take the lead of a database's relays; the one that has it loses its session and stands by.

    Raises:
        Failed: the role may not end the relay's session, or another command has the lead.
    """
    end = time.monotonic() + LEAVE_SECONDS
    while not try_to_lead(connection):
        for pid, who in connection.execute(LEADER, RELAY_LEAD).fetchall():
            if str(who).startswith(PURPOSE):
                raise Failed(f"Another command has stopped the relays of {name}: {who}. Wait until it has ended.")
            end_session(name, connection, pid)
        if time.monotonic() > end:
            raise Failed(f"The relays of {name} do not stop. Stop them and run the command again.")
        time.sleep(0.02)


def end_session(name: str, connection: Connection[Any], pid: int) -> None:
    try:
        connection.execute(END_SESSION, (pid,))
    except psycopg.errors.InsufficientPrivilege:
        raise Failed(
            f"The URL of {name} belongs to a role that may not stop the relay. "
            "Use the relay's role or the owner, or stop the relays yourself for as long as this takes."
        ) from None


def shut(gates: Mapping[str, Connection[Any]]) -> list[str]:
    """Send the workers of these groups away, all at once; returns the groups whose workers are still busy."""
    with ThreadPoolExecutor(max(1, len(gates))) as porters:
        shuts = porters.map(shut_one, gates.values())
        return [group for group, is_shut in zip(gates, shuts, strict=True) if not is_shut]


def shut_one(gate: Connection[Any]) -> bool:
    try:
        gate.execute(SHUT, GROUP_GATE)
    except psycopg.errors.LockNotAvailable:
        return False
    return True


def show_life(sessions: Mapping[str, Connection[Any]]) -> None:
    """Raises Failed when one of them has ended, and its lock with it."""
    for name, session in sessions.items():
        try:
            session.execute("")
        except psycopg.Error as error:
            raise Failed(f"The session in the database of {name} was lost: {error}. Run the command again.") from None
