"""CatchUp: publishes to one audience, from the outbox, what it lacks since its queue was detached."""

import threading
import time
from bisect import bisect_right
from collections.abc import Sequence, Set
from contextlib import closing
from typing import Any

import psycopg
from pika.exceptions import AMQPError
from psycopg import Connection

from ordersaga.broker import topology
from ordersaga.broker.connecting import connect
from ordersaga.broker.silent_queues import answers
from ordersaga.envelope.message import Message
from ordersaga.relay import detached, session, window
from ordersaga.relay.access import Access
from ordersaga.relay.detached import Detached
from ordersaga.relay.in_flight import InFlight
from ordersaga.relay.publisher import BrokerUnavailable, Publisher
from ordersaga.relay.undeliverable import never_sent
from ordersaga.relay.window import PAGE, Cursor, Outgoing, PageLimits
from ordersaga.runtime import failpoints
from ordersaga.runtime.backoff import Backoff
from ordersaga.runtime.errors import UnusableDatabase
from ordersaga.runtime.logs import log

PAGE_BYTES = 4 * 1024 * 1024
ASK_SECONDS = 1.0
"""Seconds between two questions to a queue whether it answers."""
SILENT_SECONDS = 5.0
"""Seconds without a confirm after which the connection is given up."""
FIRST_SECONDS = 20.0
"""The same for its first message, which asks whether anybody answers: it is confirmed as soon as all do."""
KEEP_ALIVE_SECONDS = 1.0
WAIT_SECONDS = 0.05
BACKOFF = Backoff(first=1.0, longest=5.0, jitter=0.1)


class NotConfirmed(Exception):
    """The queue confirms nothing."""


INTERRUPTIONS = (NotConfirmed, AMQPError, BrokerUnavailable, psycopg.Error, UnusableDatabase, OSError)
"""A server is away, or the queue confirms nothing; any other error is one of the program."""


class CatchUp(threading.Thread):
    """Works over a session and a connection of its own, so that the relay never waits for it.

    It publishes windows as the relay does, up to `goal`; until the relay attaches the queue, each message comes from
    here alone.
    """

    def __init__(self, row: Detached, contracts: Sequence[str], access: Access, retried: Set[int]) -> None:
        """`contracts` are those that the group receives, `retried` the undeliverable rows that the relay sends now."""
        super().__init__(name=f"catch up {row.queue}", daemon=True)
        self.row = row
        self.goal: Cursor | None = None
        """The relay has settled every row up to here. None: not yet known."""
        self.passing: Set[int] = frozenset()
        """The rows of the page that is published now: the relay retries none of them meanwhile."""
        self._retried = retried
        self.is_near = False
        """Whether at most a page was lacking when it last looked."""
        self._reached: Cursor | None = None
        self._progress = threading.Condition()
        self._contracts = contracts
        self._access = access
        self._limits = PageLimits(access.max_bytes, PAGE_BYTES)
        self._publisher = Publisher(access.amqp_url, f"catch up {row.queue} from {access.database}")
        self._in_flight = InFlight()
        self._has_confirmed = False
        self._end = threading.Event()
        self._log = log.bind(database=access.database, queue=row.queue)

    def reaches(self, goal: Cursor, seconds: float) -> bool:
        """Whether the audience has every row up to here, within so many seconds."""
        self.goal = goal
        with self._progress:
            return self._progress.wait_for(lambda: self._reached == goal, seconds)

    def end(self) -> None:
        """End soon, without waiting for it."""
        self._end.set()

    def run(self) -> None:
        failures = 0
        while not self._end.is_set():
            try:
                self._attempt()
            except INTERRUPTIONS as error:
                failures = 0 if self._has_confirmed else failures + 1
                if not self._end.is_set():
                    self._log.info("catching up is interrupted", reason=str(error) or repr(error))
            except Exception:  # noqa: BLE001 - without this thread the queue would wait until the relay starts again
                failures += 1
                self._log.exception("catching up failed and is tried again")
            self._publisher.close(seconds=0.1)
            self._in_flight, self.passing, self._has_confirmed = InFlight(), frozenset(), False
            self._end.wait(BACKOFF.seconds(failures))

    def _attempt(self) -> None:
        """Wait until the queue answers and it is its turn; then publish what its audience lacks."""
        if self.row.group and not self._await_answer():
            return
        if self._access.turns.acquire(timeout=ASK_SECONDS):
            try:
                self._catch_up()
            finally:
                self._access.turns.release()

    def _catch_up(self) -> None:
        """Publish what the audience lacks, until the relay attaches the queue."""
        self._publisher.connect()
        with session.connect(self._access.url, "catch-up") as connection:
            connection.execute(session.SETTINGS)
            cursor = detached.cursor_of(connection, self.row)
            failpoints.reach("catch-up.begun")
            while cursor and not self._end.is_set():
                cursor = self._follow(connection, cursor)

    def _await_answer(self) -> bool:
        """Wait until the queue answers. Returns False if this thread is to end first."""
        parameters = topology.parameters(self._access.amqp_url, f"catch up {self.row.queue} asks")
        with closing(connect(parameters)) as connection:
            while not self._end.is_set():
                if answers(connection, self.row.queue):
                    return True
                connection.sleep(ASK_SECONDS)
        return False

    def _follow(self, connection: Connection[Any], cursor: Cursor) -> Cursor:
        """Publish one window, as far as the goal allows, or wait a moment for another goal."""
        goal = self.goal
        if goal is None or cursor == goal:
            self._wait(connection, goal)
            return cursor
        begun = goal.target if cursor.published == goal.published else None
        target = cursor.target or begun or goal.published
        end = goal if target == goal.target else Cursor(target)
        self._publish_window(connection, Cursor(cursor.published, target, cursor.confirmed_position), end)
        return self._move(connection, end) if not self._end.is_set() else cursor

    def _wait(self, connection: Connection[Any], reached: Cursor | None) -> None:
        """Wait a moment for another goal."""
        if reached:
            with self._progress:
                self._reached, self.is_near = reached, True
                self._progress.notify_all()
        self._publisher.wait(WAIT_SECONDS)
        session.keep_alive(connection)

    def _publish_window(self, connection: Connection[Any], cursor: Cursor, end: Cursor) -> None:
        """Publish the rest of a window, up to its end or to the position of `end` in it."""
        positions = window.open_window(connection, cursor, self._limits).positions
        if end.confirmed_position is not None:
            positions = positions[: bisect_right(positions, end.confirmed_position)]
        self.is_near = len(positions) <= PAGE
        read = 0
        while read < len(positions) and not self._end.is_set():
            wanted = positions[read : read + (PAGE if self._has_confirmed else 1)]
            rows = window.fetch_page(connection, wanted, self._limits)
            self._publish(connection, rows)
            failpoints.reach("catch-up.confirmed")
            read = bisect_right(positions, rows[-1].position) if rows else read + len(wanted)
            self._move(connection, Cursor(cursor.published, cursor.target, positions[read - 1]))
            self.passing = frozenset()

    def _move(self, connection: Connection[Any], cursor: Cursor) -> Cursor:
        detached.move(connection, self.row, cursor)
        failpoints.reach("catch-up.moved")
        return cursor

    def _publish(self, connection: Connection[Any], rows: Sequence[Outgoing]) -> None:
        """Publish the rows that the audience lacks, at most one of a key at a time, and wait for the confirms."""
        rows = [row for row in rows if self._is_lacking(row)]
        if rows:
            self._await_retries(connection, rows)
            never = never_sent(connection, [row.position for row in rows])
            self._send(self._in_flight.admit([row for row in rows if row.position not in never]))
            self._await_confirms(connection)

    def _await_retries(self, connection: Connection[Any], rows: Sequence[Outgoing]) -> None:
        """Wait until the relay retries none of these rows, and let it begin with none until they are passed.

        Such a row may be one that is never sent, and leave its table when the others have it: nobody would send it to
        this audience any more.
        """
        self.passing = {row.position for row in rows}
        while not self._retried.isdisjoint(self.passing):
            if self._end.is_set():
                raise NotConfirmed("the relay no longer leads")
            self._publisher.wait(WAIT_SECONDS)
            session.keep_alive(connection)

    def _is_lacking(self, row: Outgoing) -> bool:
        message = row.message
        if not self.row.concerns(message):
            return False
        if self.row.group and not topology.receives(self._contracts, message.contract):
            return False
        return row.size <= self._access.max_bytes and not self._access.refusal_of(message)

    def _send(self, rows: Sequence[Outgoing]) -> None:
        if rows:
            self._in_flight.mark_sent(rows)
            self._publisher.send([row.message for row in rows], lambda _: (self.row.exchange,))

    @property
    def _patience(self) -> float:
        return SILENT_SECONDS if self._has_confirmed else FIRST_SECONDS

    def _await_confirms(self, connection: Connection[Any]) -> None:
        in_flight, confirmed_at = self._in_flight, time.monotonic()
        while in_flight.count:
            outcome = self._publisher.settle(in_flight.count - 1, KEEP_ALIVE_SECONDS)
            session.keep_alive(connection)
            if outcome.settled:
                confirmed_at, self._has_confirmed = time.monotonic(), True
            elif self._end.is_set() or time.monotonic() - confirmed_at > self._patience:
                raise NotConfirmed("no confirm")
            for refusal in outcome.refusals:
                self._refused(refusal.message, refusal.kind, refusal.reason)
            settled = in_flight.pop_settled(outcome.settled)
            self._send([after for row in settled if (after := in_flight.next_of(row.message.key))])

    def _refused(self, message: Message, kind: str, reason: str) -> None:
        """A message that nobody else is bound for is lacking nowhere; another refusal ends this attempt."""
        if self.row.group or kind != "returned":
            raise NotConfirmed(f"{kind}: {reason}")
        self._log.error("no queue of any group is bound for a message", message_id=str(message.id), reason=reason)
