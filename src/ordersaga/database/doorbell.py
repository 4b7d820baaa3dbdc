"""Doorbell: tells the listeners of a database, after a commit, that its outbox has new rows."""

import threading
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.pq import ExecStatus

from ordersaga.runtime import sessions
from ordersaga.runtime.errors import UnusableDatabase
from ordersaga.runtime.links import Link, is_disturbed
from ordersaga.runtime.sessions import SessionLimits

CHANNEL = "ordersaga_outbox"
NOTIFY = f"notify {CHANNEL}".encode()
LISTEN = f"listen {CHANNEL}".encode()
MAX_UNANSWERED = 2
"""Rings that Postgres has not answered; it will come to the last of them, so further ones are dropped.

With 16, eight writers that rang after every commit reached a third to a half of their rate, with 2 at least 0.7.
"""


def listen(connection: Connection[Any]) -> None:
    """Receive the rings on this session, as notifications without a payload, until the session ends."""
    connection.execute(LISTEN)


def no_ring() -> None:
    """In place of a ring: the relay finds new messages by itself, up to 50 ms later."""


class Doorbell:
    """Rings on a session of its own: `NOTIFY` in a writer's transaction takes a lock across the instance at commit.

    A lost ring is harmless: a relay looks every 50 ms by itself. The calling thread sends the statement and does not
    wait for the answer; a thread for it would get its turn late in a process that computes (8 ms, not 0.4).
    """

    def __init__(self, url: str, name: str, limits: SessionLimits) -> None:
        """Connect at the first ring. `name` is the session's in pg_stat_activity."""
        self._url = url
        self._name = name
        self._limits = replace(limits, idle=0)
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._link = Link(f"Postgres for the {name}")
        self._connection: Connection[Any] | None = None
        self._connecting = False
        self._unanswered = 0

    def ring(self) -> None:
        """Tell the listeners; call it after the commit. Thread-safe; returns at once and never raises.

        While the database is away, rings are dropped; one is made up for when it answers again.
        """
        with self._lock:
            try:
                self._ring()
            except psycopg.Error as error:
                self._disconnect()
                self._link.down(error)
            if self._connection is None:
                self._begin_to_connect()

    @property
    def pid(self) -> int:
        """The process of its session, which a listener gets with each ring; 0 without a session."""
        connection = self._connection
        return connection.pgconn.backend_pid if connection is not None else 0

    def close(self) -> None:
        """End the session; later rings do nothing."""
        with self._lock:
            self._closed.set()
            self._disconnect()

    def _ring(self) -> None:
        if self._connection is None:
            return
        pgconn = self._connection.pgconn
        while is_disturbed(self._connection):
            pgconn.consume_input()
        self._read_answers()
        if self._unanswered < MAX_UNANSWERED:
            pgconn.send_query_params(NOTIFY, None)
            pgconn.pipeline_sync()
            pgconn.flush()
            self._unanswered += 1

    def _read_answers(self) -> None:
        """Drop the answers that have arrived; a ring that failed is a lost one."""
        assert self._connection is not None
        pgconn = self._connection.pgconn
        while self._unanswered and not pgconn.is_busy():
            result = pgconn.get_result()
            if result is not None and result.status == ExecStatus.PIPELINE_SYNC:
                self._unanswered -= 1

    def _begin_to_connect(self) -> None:
        if not self._connecting and not self._closed.is_set():
            self._connecting = True
            threading.Thread(target=self._connect, name=self._name, daemon=True).start()

    def _connect(self) -> None:
        while not self._closed.is_set():
            try:
                connection = self._open()
            except (psycopg.Error, UnusableDatabase) as error:
                self._link.down(error)
                self._closed.wait(self._link.pause())
            else:
                self._link.up()
                self._begin_with(connection)
                return

    def _open(self) -> Connection[Any]:
        """A session that sends without waiting, and whose commits do not wait for the disk."""
        settings = {"synchronous_commit": "off"}
        connection = sessions.connect(self._url, self._name, self._limits, settings=settings)
        connection.pgconn.nonblocking = 1
        connection.pgconn.enter_pipeline_mode()
        return connection

    def _begin_with(self, connection: Connection[Any]) -> None:
        with self._lock:
            self._connection, self._unanswered, self._connecting = connection, 0, False
            if self._closed.is_set():
                self._disconnect()
        self.ring()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
