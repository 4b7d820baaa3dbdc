"""Faults that a session makes in Postgres: ended sessions, no connections, no locks, long locks, long transactions."""

import threading
from contextlib import suppress
from random import Random
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier

from devstack.chaos.fault import Fault
from devstack.chaos.faults.target import POSTGRES
from devstack.chaos.stage import Stage
from devstack.processes import GROUPS, SERVICES

NAME = "chaos"
"""Of the sessions that make faults, in pg_stat_activity."""
TERMINATE = """
select count(pg_terminate_backend(pid)) from pg_stat_activity
where backend_type = 'client backend' and application_name <> %s and (datname = %s or %s = '')
"""
TAKE_LOCKS = "select count(pg_advisory_lock(2147480000, n)) from generate_series(%s::int, %s::int) n"
LOCKS_AT_ONCE = 2000
EVERY_SECONDS = 0.05


class PostgresFault(Fault):
    """It lasts as long as its sessions; one whose session is lost has healed."""

    server = POSTGRES

    def __init__(self, stage: Stage, chance: Random) -> None:
        super().__init__(stage, chance)
        self.sessions: list[psycopg.Connection[Any]] = []

    def connect(self, database: str, autocommit: bool = True) -> psycopg.Connection[Any]:
        """As the owner, straight to the server."""
        url = self.stage.stack.environments.owner_urls()[database]
        session = psycopg.connect(url, autocommit=autocommit, application_name=NAME, connect_timeout=10)
        self.sessions.append(session)
        return session

    def close(self) -> int:
        """Returns how many sessions were open."""
        sessions, self.sessions = self.sessions, []
        for session in sessions:
            with suppress(psycopg.Error):
                session.close()
        return len(sessions)

    def heal(self) -> str:
        return f"{number} sessions of this fault are closed." if (number := self.close()) else ""


class TerminateBackends(PostgresFault):
    name = "terminate-backends"
    does = "Every session of one database, or of all, is ended by pg_terminate_backend."
    shortest, longest = 0, 2

    def __init__(self, stage: Stage, chance: Random) -> None:
        super().__init__(stage, chance)
        self.database = chance.choice(("", *GROUPS))

    def inject(self) -> str:
        ended = terminate(self.connect(self.database or GROUPS[0]), self.database)
        self.close()
        return f"{ended} sessions of {self.database or 'all databases'} are ended."


class ExhaustConnections(PostgresFault):
    name = "exhaust-connections"
    does = "Somebody else takes all connections of Postgres, and those of the processes are ended."
    shortest, longest = 2, 8

    def __init__(self, stage: Stage, chance: Random) -> None:
        super().__init__(stage, chance)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def inject(self) -> str:
        self._stop.clear()
        first = self.connect(GROUPS[0])
        self.take_all()
        ended = terminate(first)
        self._thread = threading.Thread(target=self._keep_taking, name=self.name, daemon=True)
        self._thread.start()
        return f"{len(self.sessions)} connections are taken, and the {ended} others ended and taken too."

    def _keep_taking(self) -> None:
        """A session that is ended frees its place some time later, and its process connects again at once."""
        with suppress(psycopg.Error):
            while not self._stop.wait(EVERY_SECONDS):
                self.take_all()
                terminate(self.sessions[0])

    def take_all(self) -> None:
        with suppress(psycopg.OperationalError):
            while not self._stop.is_set():
                self.connect(GROUPS[0])

    def heal(self) -> str:
        self._stop.set()
        if self._thread:
            self._thread.join()
        return super().heal()


class FillLockTable(PostgresFault):
    name = "fill-lock-table"
    does = "Somebody else's advisory locks fill the table of locks, so that a lock which is not there yet is refused."
    shortest, longest = 2, 8

    def inject(self) -> str:
        session, taken = self.connect(GROUPS[0]), 0
        while True:
            try:
                session.execute(TAKE_LOCKS, (taken, taken + LOCKS_AT_ONCE - 1))
            except psycopg.errors.OutOfMemory:
                break
            taken += LOCKS_AT_ONCE
        locks = session.execute("select count(*) from pg_locks where locktype = 'advisory'").fetchone()
        return f"{locks[0] if locks else taken} advisory locks fill the lock table."


LOCKED = ("inbox", "outbox", "stored_events", "parked_messages", "relay_cursor", "idempotency_keys")
LOCKED_READ_SIDE = ("event_log", "saga_view", "parked_messages")
MODES = ("share row exclusive", "access exclusive")


class LockTable(PostgresFault):
    name = "lock-table"
    does = "A table is locked by somebody else for longer than anybody waits."
    shortest, longest = 4, 15

    def __init__(self, stage: Stage, chance: Random) -> None:
        super().__init__(stage, chance)
        self.database = chance.choice(GROUPS)
        self.table = chance.choice(LOCKED if self.database in SERVICES else LOCKED_READ_SIDE)
        self.mode = chance.choice(MODES)

    def inject(self) -> str:
        session = self.connect(self.database, autocommit=False)
        session.execute(SQL("lock table {} in {} mode").format(Identifier(self.table), SQL(self.mode)))
        return f"{self.table} of {self.database} is locked in {self.mode} mode."


class LongTransaction(PostgresFault):
    name = "long-transaction"
    does = "A transaction that has written holds a snapshot in every database, and with it the xmin horizon."
    shortest, longest = 8, 16

    def inject(self) -> str:
        for database in GROUPS:
            session = self.connect(database, autocommit=False)
            session.execute("set transaction isolation level repeatable read")
            session.execute("select pg_current_xact_id()")
        return f"{len(GROUPS)} transactions are open."


class RewriteOutbox(PostgresFault):
    name = "rewrite-outbox"
    does = "VACUUM FULL rewrites the outbox of a service, and a checkpoint writes everything."
    shortest, longest = 0, 2

    def __init__(self, stage: Stage, chance: Random) -> None:
        super().__init__(stage, chance)
        self.database = chance.choice(SERVICES)

    def inject(self) -> str:
        session = self.connect(self.database)
        session.execute("vacuum full outbox")
        session.execute("checkpoint")
        self.close()
        return f"The outbox of {self.database} is rewritten, and a checkpoint made."


def terminate(session: psycopg.Connection[Any], database: str = "") -> int:
    """End all sessions of a database, or of all, but those of faults. Returns how many there were."""
    row = session.execute(TERMINATE, (NAME, database, database)).fetchone()
    return int(row[0]) if row else 0
