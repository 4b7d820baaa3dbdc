"""VersionWatch: one thread and one query for all of a process who wait until the version of an aggregate moves on."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from select import POLLIN, poll
from typing import Any
from uuid import UUID

import psycopg
from psycopg import Connection

from ordersaga.database.doorbell import Doorbell, listen
from ordersaga.runtime import sessions
from ordersaga.runtime.errors import UnusableDatabase
from ordersaga.runtime.links import Link
from ordersaga.runtime.sessions import SessionLimits
from ordersaga.store.aggregates import LATEST, ROWS, Row
from ordersaga.store.fingerprint import of_all_aggregates

BETWEEN_SECONDS = 0.003
"""At least, from one look to the next: rings that come faster share a look."""
TICK_SECONDS = 0.5
"""The thread's longest sleep. Waits are whole seconds, so that it sees the end of each before it comes."""
BACKSTOP_SECONDS = 0.5
"""At most, from one look to the next while somebody waits: a ring may be lost."""

LOOK = f"""
with wanted as materialized (
    select distinct waiter.id, 0::bigint as version
    from unnest((select %(ids)b::uuid[]), (select %(seen)b::bigint[])) as waiter (id, seen)
    cross join lateral (
        select max(originator_version) as version from stored_events where originator_id = waiter.id
    ) as newest
    where newest.version > waiter.seen
), {LATEST} {ROWS} order by 1, 2
"""  # noqa: S608 - constants
"""All of each aggregate that has moved on, so that who answers need not read it again."""


@dataclass(eq=False, slots=True)
class Waiter:
    """Waits until its aggregate has a version above `seen`; `wake` gets that version, or 0 when the time is over."""

    id: UUID
    seen: int
    until: float
    """The end of the wait (monotonic)."""
    wake: Callable[[int, Sequence[Row]], None]
    """Gets also the rows from which the aggregate is made at that version."""


class VersionWatch:
    """Looks at a ring of the database's doorbell: the cost does not grow with the time that somebody waits.

    While the database is away, waiters wait on, until it answers or their time is over.
    """

    def __init__(self, url: str, name: str, limits: SessionLimits, own: Doorbell | None = None) -> None:
        """Connect when somebody waits for the first time. `name` is the session's in pg_stat_activity.

        Rings of this process's `own` doorbell tell nothing: who waits here knows what this process has changed.
        """
        self._url, self._name, self._limits, self._own = url, name, limits, own
        self._link = Link(f"Postgres for the {name}")
        self._lock = threading.Lock()
        self._waiters: set[Waiter] = set()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._connection: Connection[Any] | None = None
        self._connect_at = 0.0
        self._has_rung = False
        self._last_look = 0.0

    def wait(self, waiter: Waiter) -> None:
        """Call `waiter.wake` once, in the thread of the watch: it must neither block nor raise."""
        with self._lock:
            if not self._waiters:
                self._last_look = max(self._last_look, time.monotonic() - BETWEEN_SECONDS)
            self._waiters.add(waiter)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def close(self) -> None:
        """End the thread and its session; who waits then is never woken."""
        self._closed = True

    def _run(self) -> None:
        while not self._closed:
            try:
                self._step()
            except (psycopg.Error, UnusableDatabase) as error:
                self._link.down(error)
                self._disconnect()
        self._disconnect()

    def _step(self) -> None:
        self._sleep()
        now = time.monotonic()
        self._wake({waiter: () for waiter in self._all() if waiter.until <= now})
        if self._connection is None and self._all() and now >= self._connect_at:
            self._connect()
        if self._connection is not None and now >= self._look_at():
            self._look(self._connection)

    def _all(self) -> list[Waiter]:
        with self._lock:
            return [*self._waiters]

    def _sleep(self) -> None:
        """Until there is a ring or something is due, or for TICK_SECONDS: a new waiter does not wake the thread."""
        poller = poll()
        if self._connection is not None:
            poller.register(self._connection.fileno(), POLLIN)
        if poller.poll(1000 * self._idle_seconds()):
            self._read_rings()

    def _idle_seconds(self) -> float:
        if not (waiters := self._all()):
            return TICK_SECONDS
        due = self._look_at() if self._connection is not None else self._connect_at
        return min(TICK_SECONDS, max(0.0, min(due, *(waiter.until for waiter in waiters)) - time.monotonic()))

    def _look_at(self) -> float:
        return self._last_look + (BETWEEN_SECONDS if self._has_rung else BACKSTOP_SECONDS)

    def _read_rings(self) -> None:
        """Raises psycopg.OperationalError when the server has ended the session."""
        assert self._connection is not None
        self._connection.pgconn.consume_input()
        while ring := self._connection.pgconn.notifies():
            self._note_ring(ring.be_pid)

    def _look(self, connection: Connection[Any]) -> None:
        """Wake those whose aggregate has moved on."""
        self._has_rung, self._last_look = False, time.monotonic()
        if waiters := self._all():
            moved = self._moved(connection, waiters)
            newer = {waiter: moved[waiter.id] for waiter in waiters if waiter.id in moved}
            self._wake({waiter: rows for waiter, rows in newer.items() if version_of(rows) > waiter.seen})

    def _moved(self, connection: Connection[Any], waiters: list[Waiter]) -> Mapping[UUID, Sequence[Row]]:
        given = {
            "ids": [waiter.id for waiter in waiters],
            "seen": [waiter.seen for waiter in waiters],
            "code": of_all_aggregates(),
        }
        found: dict[UUID, list[Row]] = defaultdict(list)
        for row in connection.execute(LOOK, given, prepare=True, binary=True):
            found[row[0]].append(row)
        return found

    def _wake(self, woken: Mapping[Waiter, Sequence[Row]]) -> None:
        with self._lock:
            self._waiters.difference_update(woken)
        for waiter, rows in woken.items():
            waiter.wake(version_of(rows), rows)

    def _connect(self) -> None:
        """Listen, then look: rings of before are lost."""
        self._connection = sessions.connect(self._url, self._name, self._limits)
        self._connection.add_notify_handler(lambda ring: self._note_ring(ring.pid))
        listen(self._connection)
        self._has_rung = True
        self._link.up()

    def _note_ring(self, pid: int) -> None:
        self._has_rung |= self._own is None or pid != self._own.pid

    def _disconnect(self) -> None:
        self._connect_at = time.monotonic() + self._link.pause()
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def version_of(rows: Sequence[Row]) -> int:
    return rows[-1][1] if rows else 0
