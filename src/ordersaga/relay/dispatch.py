"""Dispatch: sends rows, at most one of each key at a time, and settles each as confirmed or undeliverable."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from prometheus_client import Counter
from psycopg import Connection

from ordersaga.broker.silent_queues import SilentQueues
from ordersaga.relay import session
from ordersaga.relay.access import Access
from ordersaga.relay.confirms import Outcome
from ordersaga.relay.detachments import Detachments
from ordersaga.relay.in_flight import InFlight
from ordersaga.relay.publisher import MessageRefused, Publisher, never
from ordersaga.relay.routes import Routes
from ordersaga.relay.spans import SendSpans
from ordersaga.relay.stall import Stall
from ordersaga.relay.undeliverable import RefusedRow, Undeliverable
from ordersaga.relay.window import Outgoing
from ordersaga.runtime import failpoints

CHUNK = 100
"""Messages in one write to the socket, some 100 KB."""
MAX_IN_FLIGHT = 2000
"""Messages with the broker and not yet confirmed; 8000 was no faster, 500 a fifth slower."""
MAX_READ_AHEAD = 5000
"""The most rows that are read and not settled; beyond it, keys wait that have no refused message."""
READ_AHEAD_BYTES = 16 * 1024 * 1024
"""The most bytes of bodies that are read and not settled, but for a single body that is larger.

A body is in memory up to four times: as text, which takes four bytes a character if one is beyond the Basic
Multilingual Plane, as the answer of Postgres, as frames, and in the buffer of the connection. Rows of 1 KB reach
MAX_READ_AHEAD first.
"""
PAGE_BYTES = READ_AHEAD_BYTES // 2
"""The most bytes of bodies that one page reads, but for a single body that is larger."""
CHUNK_BYTES = READ_AHEAD_BYTES // 8
"""The most bytes of bodies in one write to the socket, but for a single body that is larger."""

KEEP_ALIVE_SECONDS = 1.0
"""Longest time between two statements; the server ends a session after three seconds without one."""
DRAIN_SECONDS = 10.0
"""How long a stopping relay waits for the confirms of messages in flight."""
BEHIND = "waits for an earlier message of its key"

messages_published = Counter(
    "ordersaga_relay_messages_published_total", "Messages confirmed by the broker", ["database"]
)


class DrainTimeout(Exception):
    """The relay is stopping, and the broker has not confirmed the messages in flight in time."""


class Dispatch:
    """The messages in flight and the undeliverable ones of one database, while one relay leads."""

    def __init__(
        self,
        access: Access,
        connection: Connection[Any],
        publisher: Publisher,
        queues: SilentQueues,
        detachments: Detachments,
        stop: threading.Event,
    ) -> None:
        self.in_flight = InFlight()
        self._spans = SendSpans()
        self.undeliverable = Undeliverable(access.database, connection)
        if access.announced:
            self.undeliverable.make_due(access.announced.contracts)
        self.stall = Stall(access.database, connection, publisher, queues, detachments.silence)
        self._detachments = detachments
        self._connection = connection
        self._publisher = publisher
        self._refusal_of = access.refusal_of
        self._max_bytes = access.max_bytes
        self._stop = stop
        self._stop_seen_at = 0.0
        self._published = messages_published.labels(access.database)
        self._confirmed_at = self._statement_at = time.monotonic()

    @property
    def unconfirmed_seconds(self) -> float:
        """How long the broker has confirmed none of the messages in flight."""
        return time.monotonic() - self._confirmed_at if self.in_flight.count else 0.0

    def send(self, rows: Sequence[Outgoing]) -> None:
        """Send the next rows of the window; rows of a key with undeliverable messages are recorded behind these."""
        self.in_flight.read(rows)
        keys = self.undeliverable.keys
        if keys and (behind := [row for row in rows if row.message.key in keys]):
            self._record([RefusedRow(row, "waits", BEHIND) for row in behind])
            rows = [row for row in rows if row.message.key not in keys]
        self._send_now(self.in_flight.admit(self._settle_for_nobody(rows)))
        if not self.in_flight.has_no_waiters:
            self._await_confirms(self.in_flight.count, 0)

    def _settle_for_nobody(self, rows: Sequence[Outgoing]) -> Sequence[Outgoing]:
        """Settle the rows that only detached queues get. Returns the others."""
        if (routes := self._detachments.routes) is None:
            return rows
        others, nobody = self._split(rows, routes)
        self.in_flight.mark_settled(nobody)
        return others

    def _split(self, rows: Sequence[Outgoing], routes: Routes) -> tuple[list[Outgoing], list[Outgoing]]:
        """The rows that somebody gets, or that must not be sent; and those that only detached queues get."""
        others: list[Outgoing] = []
        nobody: list[Outgoing] = []
        for row in rows:
            (others if routes.of(row.message) or self._refusal(row) else nobody).append(row)
        return others, nobody

    def retry_due(self) -> None:
        """Send the undeliverable messages that are due."""
        self._send_now(self._due_retries())

    def _due_retries(self) -> list[Outgoing]:
        if not self.undeliverable.keys or self._stop.is_set() or self.in_flight.bytes > PAGE_BYTES:
            return []
        rows = self.undeliverable.due(self.in_flight.has, CHUNK, self._max_bytes, CHUNK_BYTES)
        if rows and (routes := self._detachments.routes):
            rows, nobody = self._split(self._detachments.deliverable(rows), routes)
            if nobody:
                self._delivered(nobody)
        self.in_flight.admit_retries(rows)
        return rows

    def settle(self, max_in_flight: int, max_outstanding: int, max_bytes: int = READ_AHEAD_BYTES) -> bool:
        """Wait until at most `max_in_flight` messages are with the broker and `max_outstanding` rows are not settled.

        Their bodies have at most `max_bytes` bytes then. Returns False when `stop` is set first; every message in
        flight is settled then.

        Raises:
            DrainTimeout: the relay is stopping, and this takes more than ten seconds.
        """
        in_flight = self.in_flight
        while in_flight.exceeds(max_in_flight, max_outstanding, max_bytes):
            if self._stop.is_set() and not in_flight.count:
                return False
            self.retry_due()
            at_once = in_flight.has_no_waiters and in_flight.bytes <= max_bytes
            at_most = min(max_in_flight, max_outstanding) if at_once else in_flight.count - 1
            self._await_confirms(at_most, KEEP_ALIVE_SECONDS)
            self._raise_drain_timeout()
        return True

    def idle(self, seconds: float, woken: Callable[[], bool] = never) -> None:
        """Process the broker's frames for at most this long: until a confirm, or until `woken()`."""
        seconds = min(seconds, KEEP_ALIVE_SECONDS / 2)
        if self.in_flight.count:
            self._await_confirms(self.in_flight.count - 1, seconds, woken)
        else:
            self._publisher.wait(seconds, woken)
            self._keep_alive()

    def _await_confirms(self, at_most: int, seconds: float, woken: Callable[[], bool] = never) -> None:
        """Read confirms until at most `at_most` messages are in flight, one is refused, or the time is over."""
        self._apply(self._publisher.settle(at_most, seconds, woken))
        self._keep_alive()

    def _keep_alive(self) -> None:
        now = time.monotonic()
        if now - self._statement_at > KEEP_ALIVE_SECONDS / 2:
            session.keep_alive(self._connection)
            self._statement_at = now
            self.stall.check(self.unconfirmed_seconds)

    def _raise_drain_timeout(self) -> None:
        if not self._stop.is_set():
            return
        self._stop_seen_at = self._stop_seen_at or time.monotonic()
        if time.monotonic() - self._stop_seen_at > DRAIN_SECONDS - KEEP_ALIVE_SECONDS:
            raise DrainTimeout

    def record_refused(self, refused: MessageRefused) -> bool:
        """Record the messages because of which the broker closed the channel. Returns False when there is none."""
        found = [row for row in self.in_flight.sent_rows if refused.concerns(row.message, row.size)]
        self._refuse([RefusedRow(row, refused.kind, str(refused)) for row in found])
        return bool(found)

    def drop_in_flight(self) -> None:
        """Drop the state of in-flight messages; late confirms are ignored."""
        self._publisher.drop_in_flight()
        self._spans.drop()
        self.in_flight.clear()

    def _send_now(self, rows: Sequence[Outgoing]) -> None:
        """Send rows that are due; record those that must not be sent."""
        if refused := [found for row in rows if (found := self._refusal(row))]:
            never = {each.row.position for each in refused}
            rows = [row for row in rows if row.position not in never]
            self._send_now(self._refuse(refused))
        routes = self._detachments.routes
        for chunk in chunks(rows):
            if not self.in_flight.count:
                self._confirmed_at = time.monotonic()
            # Sending may raise because of one of these rows: `record_refused` looks for it among the sent ones.
            self.in_flight.mark_sent(chunk)
            self._spans.sent(chunk)
            failpoints.reach("relay.before-publish")
            self._publisher.send([row.message for row in chunk], routes.of if routes else None)
            failpoints.reach("relay.published")
            self._keep_alive()

    def _refusal(self, row: Outgoing) -> RefusedRow | None:
        """Why a row must not be sent; None: it may be."""
        if row.size > self._max_bytes:
            reason = f"its body has {row.size} bytes, RELAY_MAX_MESSAGE_BYTES is {self._max_bytes}"
            return RefusedRow(row, "too_large", reason)
        refusal = self._refusal_of(row.message)
        return RefusedRow(row, *refusal) if refusal else None

    def _apply(self, outcome: Outcome) -> None:
        if not outcome.settled:
            return
        failpoints.reach("relay.confirmed")
        self._confirmed_at = time.monotonic()
        rows = self.in_flight.pop_settled(outcome.settled)
        refused = {each.index: RefusedRow(rows[each.index], each.kind, each.reason) for each in outcome.refusals}
        self._spans.settled(rows, refused)
        confirmed = [row for index, row in enumerate(rows) if index not in refused] if refused else rows
        self._published.inc(len(confirmed))
        due = self._confirm(confirmed) + self._refuse(list(refused.values()))
        if not self._stop.is_set():
            self._send_now(due)

    def _confirm(self, rows: Sequence[Outgoing]) -> list[Outgoing]:
        """Settle confirmed rows. Returns the rows that are due now."""
        in_flight = self.in_flight
        retried = [row for row in rows if in_flight.finish(row)]
        due = [after for row in rows if (after := in_flight.next_of(row.message.key))]
        if retried:
            failpoints.reach("relay.retry-confirmed")
            self._delivered(retried)
            due += self._due_retries()
        return due

    def _delivered(self, rows: Sequence[Outgoing]) -> None:
        self.undeliverable.delivered(rows)
        self._detachments.retried(rows)

    def _refuse(self, refused: Sequence[RefusedRow]) -> list[Outgoing]:
        """Record refused rows and those that wait for them; postpone the undeliverable ones that were sent again.

        Returns the rows that are due now: those that waited for a message that a person has skipped meanwhile.
        """
        due: list[Outgoing] = []
        new: list[RefusedRow] = []
        for each in refused:
            key = each.row.message.key
            if self.in_flight.is_retry(each.row):
                self.in_flight.finish(each.row)
                self.undeliverable.refused_again(each)
                self._detachments.retried([each.row])
                due += [after for after in (self.in_flight.next_of(key),) if after]
            else:
                new += [each, *(RefusedRow(row, "waits", BEHIND) for row in self.in_flight.pop_waiters(key))]
        self._record(new)
        return due

    def _record(self, refused: Sequence[RefusedRow]) -> None:
        """Commit the rows to the table before the cursor can move past them."""
        if refused:
            failpoints.reach("relay.before-record")
            self.undeliverable.record(refused)
            failpoints.reach("relay.recorded")
            self.in_flight.mark_settled(each.row for each in refused)


def chunks(rows: Sequence[Outgoing]) -> Iterator[list[Outgoing]]:
    """The rows in their order, in lists of at most CHUNK rows and CHUNK_BYTES bytes, or of one row that is larger."""
    chunk: list[Outgoing] = []
    size = 0
    for row in rows:
        if chunk and (len(chunk) == CHUNK or size + row.size > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(row)
        size += row.size
    if chunk:
        yield chunk
