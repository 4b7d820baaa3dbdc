"""Advisory locks that pause relays and workers; they end with this process, and relays and workers continue."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
from psycopg import Connection

from ordersaga.database.locks import GROUP_GATE, RELAY_LEAD, try_lock
from ordersaga.runtime import sessions
from ordersaga.runtime.reasons import reason_of

LEAVE_SECONDS = sessions.QUEUE_CHANGE.lock
"""Time for workers to finish what they hold; they allow themselves ten seconds."""
QUEUES_SET, SEED = "queues set", "seed"
"""The commands that take these locks; the names of their sessions begin with it."""

LEADER = """
select pid, application_name from pg_locks join pg_stat_activity using (pid)
where locktype = 'advisory' and classid = %s and objid = %s and objsubid = 2 and granted
    and database = (select oid from pg_database where datname = current_database())
"""
CATCHING_UP = """
select pid from pg_stat_activity
where datname = current_database() and application_name like 'catch-up %'
"""
END_SESSION = "select pg_terminate_backend(%s, 3000)"
CLOSE = "select pg_advisory_lock(%s, %s)"


class ChangeFailed(Exception):
    """The bindings of groups could not be changed; the message says why and what to do."""


class RelaysTaken(ChangeFailed):
    """Another command has paused the relays."""


def connect(name: str, url: str, command: str = QUEUES_SET) -> Connection[Any]:
    """A session that holds locks. Raises ChangeFailed when the database does not answer."""
    try:
        return sessions.connect(url, sessions.of_this_process(command), sessions.QUEUE_CHANGE)
    except psycopg.Error as error:
        raise ChangeFailed(
            f"The database of {name} does not answer: {reason_of(error)}. Nothing was changed."
        ) from None


def take_lead(name: str, connection: Connection[Any]) -> None:
    """Take the lead of a database's relays; the active relay loses its session and becomes a standby.

    Raises:
        ChangeFailed: the role may not end the relay's session.
        RelaysTaken: another command has the lead.
    """
    end = time.monotonic() + LEAVE_SECONDS
    while not try_lock(connection, RELAY_LEAD):
        for pid, who in connection.execute(LEADER, RELAY_LEAD).fetchall():
            if str(who).startswith((QUEUES_SET, SEED)):
                raise RelaysTaken(f"Another command has stopped the relays of {name}: {who}. Wait until it has ended.")
            end_session(name, connection, pid)
        if time.monotonic() > end:
            raise ChangeFailed(f"The relays of {name} do not stop. Stop them and run the command again.")
        time.sleep(0.02)
    for (pid,) in connection.execute(CATCHING_UP).fetchall():
        end_session(name, connection, pid)


def end_session(name: str, connection: Connection[Any], pid: int) -> None:
    try:
        connection.execute(END_SESSION, (pid,))
    except psycopg.errors.InsufficientPrivilege:
        raise ChangeFailed(
            f"The URL of {name} belongs to a role that may not stop the relay. "
            "Use the relay's role or the owner, or stop the relays yourself for as long as this takes."
        ) from None


def close_gates(gates: Mapping[str, Connection[Any]]) -> list[str]:
    """Close the gates of these groups at the same time. Returns the groups whose workers are still busy."""
    with ThreadPoolExecutor(max(1, len(gates))) as executor:
        closed = executor.map(close_gate, gates.values())
        return [group for group, is_closed in zip(gates, closed, strict=True) if not is_closed]


def close_gate(gate: Connection[Any]) -> bool:
    """Whether all workers of the group have released the gate in time."""
    try:
        gate.execute(CLOSE, GROUP_GATE)
    except psycopg.errors.LockNotAvailable:
        return False
    return True


def keep_alive(sessions: Mapping[str, Connection[Any]]) -> None:
    """Keep the sessions from ending. Raises ChangeFailed when one of them was lost, and its lock with it."""
    for name, session in sessions.items():
        try:
            session.execute("")
        except psycopg.Error as error:
            raise ChangeFailed(
                f"The session in the database of {name} was lost: {reason_of(error)}. Run the command again."
            ) from None
