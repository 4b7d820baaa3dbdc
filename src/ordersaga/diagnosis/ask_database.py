"""The questions to Postgres, asked over one session for each service."""

import threading
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.errors import InsufficientPrivilege, LockNotAvailable, QueryCanceled, UndefinedColumn, UndefinedTable

from ordersaga.diagnosis import clocks
from ordersaga.diagnosis.application import deadlines, housekeeping, parked, pauses, relay, seeding
from ordersaga.diagnosis.database import (
    held_locks,
    indexes,
    lock_waits,
    migrations,
    prepared,
    statistics,
    transactions,
    vacuum,
    visibility,
)
from ordersaga.diagnosis.findings import DiagnosisFinding, Unseen
from ordersaga.diagnosis.named_lock import named_locks
from ordersaga.diagnosis.questions import Answered, Answers, AskedDatabase, DatabaseQuestion, Terms
from ordersaga.diagnosis.server import connections, durability, primaries, slots, wraparound
from ordersaga.runtime.errors import UnusableDatabase
from ordersaga.runtime.reasons import reason_of, remedy_of
from ordersaga.runtime.sessions import DIAGNOSIS, connect
from ordersaga.service import Service

NAME = "ordersaga doctor"
TOO_MANY = ("53300", "too many connections", "connection slots are reserved")

OF_SERVER: tuple[DatabaseQuestion, ...] = (
    connections.connections,
    slots.slots,
    wraparound.wraparound,
    clocks.server_clock,
)
"""Asked of a server once, whichever databases it has."""
OF_DATABASE: tuple[DatabaseQuestion, ...] = (
    visibility.visibility,
    lock_waits.lock_waits,
    transactions.open_transactions,
    prepared.prepared_transactions,
    held_locks.held_locks,
    durability.durability,
    migrations.migrations,
    indexes.indexes,
    vacuum.vacuum,
    statistics.statistics,
    pauses.pauses,
    seeding.seeding,
    parked.parked,
    deadlines.deadlines,
    housekeeping.housekeeping,
)
"""Questions that read no table come first: a table may be locked."""
WITH_OUTBOX: tuple[DatabaseQuestion, ...] = (relay.relay,)


class SeenServers:
    """The Postgres servers that have been asked; several databases may be on one."""

    QUERY = "select system_identifier::text, pg_postmaster_start_time()::text from pg_control_system()"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: set[Any] = set()

    def is_new(self, connection: Connection[Any]) -> bool:
        """Whether this is the first connection to its server."""
        row = connection.execute(self.QUERY).fetchone()
        with self._lock:
            is_new = row not in self._seen
            self._seen.add(row)
        return is_new


def ask_database(service: Service, url: str, terms: Terms, seen: SeenServers, answered: Answered) -> None:
    """Ask everything of the database of a service and, if nobody has yet, of its server."""
    try:
        with connect(url, NAME, DIAGNOSIS) as connection:
            answered.locks += named_locks(connection, service.database)
            asked = AskedDatabase(service, connection, terms, answered.locks)
            for question in questions(service, seen.is_new(connection)):
                answered.asking = f"about {question.__name__.replace('_', ' ')}"
                answered.take(answers_of(question, asked))
            answered.asking = "about its other servers"
            answered.take(primaries.primaries(service.database, url))
    except UnusableDatabase as error:
        what, _, remedy = str(error).partition(". ")
        answered.take([DiagnosisFinding("critical", "unusable database", service.database, what, remedy)])
    except psycopg.Error as error:
        answered.take([no_session(service.database, error)])


def questions(service: Service, is_new_server: bool) -> Sequence[DatabaseQuestion]:
    return (
        *OF_DATABASE,
        *(() if service.is_read_side else WITH_OUTBOX),
        *(OF_SERVER if is_new_server else ()),
    )


def answers_of(question: DatabaseQuestion, asked: AskedDatabase) -> Answers:
    """The answers; in place of one that cannot be had, the reason. Raises psycopg.Error when the session is lost."""
    topic = question.__name__.replace("_", " ")
    try:
        yield from question(asked)
    except LockNotAvailable as error:
        yield from lock_waits.locked_table(asked, error)
        yield Unseen(asked.place, topic, "ask again once the lock is free")
    except QueryCanceled:
        yield Unseen(asked.place, topic, f"the answer takes more than {DIAGNOSIS.statement:.0f} s: ask again")
    except (InsufficientPrivilege, UndefinedTable, UndefinedColumn) as error:
        yield Unseen(asked.place, f"{topic} ({reason_of(error)})", remedy_of(error))
    except psycopg.Error as error:
        if asked.connection.closed:
            raise
        yield Unseen(asked.place, topic, reason_of(error))


def no_session(place: str, error: psycopg.Error) -> DiagnosisFinding:
    reason = reason_of(error)
    if any(sign in (error.sqlstate or "", reason) or sign in reason for sign in TOO_MANY):
        remedy = "end processes that are not needed, or raise the limit of the role or max_connections"
        return DiagnosisFinding("critical", "connections", place, reason, remedy)
    remedy = "start the server, or correct the URL; the text says which of the two"
    return DiagnosisFinding("critical", "does not answer", place, f"{place} does not answer: {reason}", remedy)
