"""What the active relay of a database does: open a window, publish it page by page, move the cursor behind it."""

import threading
import time
from collections import deque
from typing import Any

from prometheus_client import Counter
from psycopg import Connection

from messaging.telemetry import log
from relay import session, window
from relay.confirms import Outcome, Refusal
from relay.publisher import Publisher
from relay.trim import Trimmer
from relay.window import Cursor, Window

PAGE = 1000
"""Rows read at once; in a long window also the step in which the cursor moves."""
AT_ONCE = 100
"""Messages in one write to the socket, some 100 KB."""
IN_FLIGHT = 2000
"""Messages with the broker and not yet confirmed; with 8000 it was no faster, with 500 a fifth slower."""

SHORTEST_REST = 0.002
LONGEST_REST = 0.050
REST_SHARE = 0.05
"""A rest is this share of the quiet time so far: polling delays a message by at most a twentieth of the pause before.

At 20 messages/s that is 1.3 of the 3.5 ms from commit to consumer, for 7 % of a core; idle it is 20 polls/s and less
than 1 %. So there is no doorbell: it could save that one millisecond, and each writer would have to ring it.
"""

SIGN_OF_LIFE = 1.0
"""Seconds between two statements at most; the server ends a session that is silent for three."""
DRAIN_SECONDS = 10.0
"""How long a relay that is told to stop waits for what is in flight."""
FIRST_HOLD = 0.2
LONGEST_HOLD = 30.0

published = Counter("ordersaga_relay_published_total", "Messages that the broker has confirmed", ["database"])


class Refused(Exception):
    """The broker did not take a message; everything before it is confirmed."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal


class DrainTookTooLong(Exception):
    """The relay was told to stop, and the broker did not confirm what is in flight."""


class Lead:
    """The lead of one database, for as long as its session and the broker's connection last."""

    def __init__(
        self,
        database: str,
        connection: Connection[Any],
        publisher: Publisher,
        trimmer: Trimmer,
        stop: threading.Event,
    ) -> None:
        self.up_to_date_at = time.monotonic()
        """Everything committed until then is confirmed."""
        self.unconfirmed = 0
        """Rows of the window under way that the broker has not confirmed."""
        self._connection = connection
        self._publisher = publisher
        self._trimmer = trimmer
        self._stop = stop
        self._stop_seen_at = 0.0
        self._log = log.bind(database=database)
        self._published = published.labels(database)
        self._active_at = self._heard_at = time.monotonic()
        self._in_flight: deque[int] = deque()
        self._confirmed: int | None = None
        self._hold_seconds = FIRST_HOLD
        self._last_refusal: tuple[object, ...] = ()

    def run(self) -> None:
        """Publish window after window until told to stop, then finish what is in flight.

        Raises:
            BrokerAway, psycopg.Error: a server is gone, and the lead with it.
        """
        self._publisher.abandon()
        cursor = window.load_cursor(self._connection)
        while not self._stop.is_set():
            now = time.monotonic()
            opened = window.open_window(self._connection, cursor)
            if opened.positions or cursor.target:
                cursor = self._publish(opened)
                self._active_at = time.monotonic()
                self._trimmer.trim_if_due(idle=False)
            elif not self._trimmer.trim_if_due(idle=True):
                self._rest()
            if not cursor.target:
                self.up_to_date_at = now

    @property
    def unanswered_seconds(self) -> float:
        """How long the broker has confirmed nothing of what is in flight."""
        return time.monotonic() - self._heard_at if self._in_flight else 0.0

    def _publish(self, opened: Window) -> Cursor:
        """Publish a window and move the cursor: behind it, or inside it when refused or told to stop."""
        self._confirmed = None
        self.unconfirmed = len(opened.positions)
        refusal = None
        try:
            if self._send(opened):
                self._hold_seconds = FIRST_HOLD
                return window.close_window(self._connection, opened.target)
        except Refused as refused:
            refusal = refused.refusal
        except DrainTookTooLong:
            self._log.warning("stopped before all was confirmed", in_flight=len(self._in_flight))
        self._keep(opened)
        if refusal is not None:
            self._hold(refusal)
        return window.load_cursor(self._connection)

    def _send(self, opened: Window) -> bool:
        """True when the whole window is confirmed, False when told to stop inside it and all that was sent is."""
        for start in range(0, len(opened.positions), PAGE):
            if start:
                self._keep(opened)
            rows = window.fetch_page(self._connection, opened.positions[start : start + PAGE])
            for first in range(0, len(rows), AT_ONCE):
                self._settle(IN_FLIGHT - AT_ONCE)
                if self._stop.is_set():
                    self._settle(0)
                    return False
                chunk = rows[first : first + AT_ONCE]
                self._publisher.send([row.message for row in chunk])
                self._in_flight.extend(row.position for row in chunk)
        self._settle(0)
        return True

    def _settle(self, at_most: int) -> None:
        """Wait until at most so many messages are in flight.

        Raises:
            Refused: the broker did not take one.
            DrainTookTooLong: told to stop, and it takes more than ten seconds.
        """
        self._heard_at = time.monotonic()
        while len(self._in_flight) > at_most:
            outcome = self._publisher.settle(at_most, SIGN_OF_LIFE)
            self._take(outcome)
            if outcome.refusals:
                raise Refused(outcome.refusals[0])
            if len(self._in_flight) > at_most:
                session.show_life(self._connection)
                self._check_drain()

    def _take(self, outcome: Outcome) -> None:
        confirmed = outcome.refusals[0].index if outcome.refusals else outcome.settled
        for _ in range(confirmed):
            self._confirmed = self._in_flight.popleft()
        self._published.inc(confirmed)
        self.unconfirmed -= confirmed
        if outcome.settled:
            self._heard_at = time.monotonic()

    def _check_drain(self) -> None:
        if not self._stop.is_set():
            return
        self._stop_seen_at = self._stop_seen_at or time.monotonic()
        if time.monotonic() - self._stop_seen_at > DRAIN_SECONDS - SIGN_OF_LIFE:
            raise DrainTookTooLong

    def _keep(self, opened: Window) -> None:
        """Move the cursor to the last confirmed place inside the window.

        Only together with a place does it keep the window's end. Before there is one, a crash opens a wider window
        from the same beginning, which does no harm; behind one, a row that shows up later may have a lower position.
        """
        if self._confirmed is not None:
            window.keep_confirmed(self._connection, opened.target, self._confirmed)

    def _hold(self, refusal: Refusal) -> None:
        """Report a refused message and wait, twice as long each time, before the window goes on from it."""
        message = refusal.message
        if self._last_refusal != (message.id, refusal.reason):
            self._last_refusal = (message.id, refusal.reason)
            self._log.error(
                "refused; trying again until the broker takes it",
                message_id=str(message.id),
                contract=message.contract,
                key=message.key,
                reason=refusal.reason,
            )
        self._publisher.abandon()
        self._in_flight.clear()
        end = time.monotonic() + self._hold_seconds
        self._hold_seconds = min(2 * self._hold_seconds, LONGEST_HOLD)
        while not self._stop.is_set() and time.monotonic() < end:
            session.show_life(self._connection)
            self._publisher.wait(max(0.0, min(SIGN_OF_LIFE, end - time.monotonic())))

    def _rest(self) -> None:
        quiet = time.monotonic() - self._active_at
        self._publisher.wait(min(max(quiet * REST_SHARE, SHORTEST_REST), LONGEST_REST))
