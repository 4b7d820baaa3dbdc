"""What the active relay of a database does: open a window, publish it page by page, move the cursor behind it."""

import threading
import time
from typing import Any

from psycopg import Connection

from ordersaga.relay import window
from ordersaga.relay.dispatch import AT_ONCE, IN_FLIGHT, READ_AHEAD, Dispatch, DrainTookTooLong
from ordersaga.relay.publisher import BrokerAway, Publisher, TooLarge
from ordersaga.relay.trim import Trimmer
from ordersaga.relay.window import Cursor, Window
from ordersaga.runtime.logs import log

PAGE = 1000
"""Rows read at once; in a long window also the step in which the cursor moves."""

SHORTEST_REST = 0.002
LONGEST_REST = 0.050
REST_SHARE = 0.05
"""A rest is this share of the quiet time so far: polling delays a message by at most a twentieth of the pause before.

At 20 messages/s that is 1.3 of the 3.5 ms from commit to consumer, for 7 % of a core; idle it is 20 polls/s and less
than 1 %. So there is no doorbell: it could save that one millisecond, and each writer would have to ring it.
"""


class Lead:
    """The lead of one database, for as long as its session and the broker's connection last."""

    def __init__(
        self,
        database: str,
        connection: Connection[Any],
        publisher: Publisher,
        trimmer: Trimmer,
        largest: int,
        stop: threading.Event,
    ) -> None:
        self.up_to_date_at = time.monotonic()
        """Everything committed until then is confirmed, or undeliverable."""
        self._connection = connection
        self._trimmer = trimmer
        self._stop = stop
        self._log = log.bind(database=database)
        self._active_at = time.monotonic()
        self._dispatch = Dispatch(database, connection, publisher, largest, stop)
        self._undeliverable = self._dispatch.undeliverable
        self._opened = Window("", [])
        self._unread = 0

    @property
    def unconfirmed(self) -> int:
        """Rows of the window under way that the broker has not answered for."""
        return self._unread + self._dispatch.flight.outstanding

    @property
    def unanswered_seconds(self) -> float:
        """How long the broker has confirmed nothing of what is in flight."""
        return self._dispatch.unanswered_seconds

    def run(self) -> None:
        """Publish window after window until told to stop, then finish what is in flight.

        Raises:
            BrokerAway, psycopg.Error: a server is gone, and the lead with it.
            TooLarge: the broker closed the channel; the message is among the undeliverable now.
        """
        self._dispatch.abandon()
        try:
            self._publish_windows()
            self._dispatch.settle(0, READ_AHEAD)
        except DrainTookTooLong:
            self._keep()
            self._log.warning("stopped before all was confirmed", in_flight=self._dispatch.flight.in_flight)
        except TooLarge as error:
            if not self._dispatch.blame(error.limit, str(error)):
                raise BrokerAway(str(error)) from error
            self._keep()
            raise
        finally:
            self._undeliverable.leave()

    def _publish_windows(self) -> None:
        cursor = window.load_cursor(self._connection)
        while not self._stop.is_set():
            now = time.monotonic()
            self._dispatch.redrive()
            self._opened = window.open_window(self._connection, cursor)
            self._dispatch.flight.open_window()
            if self._opened.positions or cursor.target:
                cursor = self._publish(now)
                self._active_at = time.monotonic()
                self._trimmer.trim_if_due(idle=False)
            else:
                self.up_to_date_at = now
                if not self._trimmer.trim_if_due(idle=True):
                    self._rest()

    def _publish(self, opened_at: float) -> Cursor:
        """Publish the window and move the cursor: behind it, or inside it when told to stop, or there is no room."""
        if self._send():
            self.up_to_date_at = opened_at
            return window.close_window(self._connection, self._opened.target)
        self._keep()
        if not self._stop.is_set():
            self._hold()
        return window.load_cursor(self._connection)

    def _send(self) -> bool:
        """True when every row is settled; False when told to stop inside the window, or too much is undeliverable."""
        positions = self._opened.positions
        self._unread = len(positions)
        for start in range(0, len(positions), PAGE):
            if start:
                self._keep()
            rows = window.fetch_page(self._connection, positions[start : start + PAGE])
            for first in range(0, len(rows), AT_ONCE):
                self._dispatch.settle(IN_FLIGHT - AT_ONCE, READ_AHEAD - AT_ONCE)
                if self._stop.is_set() or self._undeliverable.is_full:
                    self._dispatch.settle(0, 0)
                    return False
                chunk = rows[first : first + AT_ONCE]
                self._unread -= len(chunk)
                self._dispatch.send(chunk)
        while (outstanding := self._dispatch.flight.outstanding) > PAGE:
            if not self._dispatch.settle(IN_FLIGHT, outstanding - PAGE):
                return False
            self._keep()
        self._dispatch.settle(IN_FLIGHT, 0)
        return self._dispatch.flight.is_settled

    def _keep(self) -> None:
        """Move the cursor to the last place inside the window up to which all is settled.

        Only together with a place does it keep the window's end. Before there is one, a crash opens a wider window
        from the same beginning, which does no harm; behind one, a row that shows up later may have a lower position.
        """
        settled = self._dispatch.flight.advance()
        if settled is not None:
            window.keep_confirmed(self._connection, self._opened.target, settled)

    def _hold(self) -> None:
        """Publish nothing new until enough of what is undeliverable has been taken or discarded."""
        self._log.error(
            "so much is undeliverable that nothing new is published: see `relay undeliverable`",
            messages=self._undeliverable.count,
        )
        while not self._stop.is_set() and not self._undeliverable.has_room:
            self._dispatch.redrive()
            self._dispatch.rest(LONGEST_REST)
        self._log.info("there is room again: going on", messages=self._undeliverable.count)

    def _rest(self) -> None:
        quiet = time.monotonic() - self._active_at
        self._dispatch.rest(min(max(quiet * REST_SHARE, SHORTEST_REST), LONGEST_REST))
