"""PublishLoop: opens a window, publishes it page by page, moves the cursor past it, and repeats."""

import threading
import time
from bisect import bisect_right
from typing import Any

from psycopg import Connection

from ordersaga.broker.silent_queues import SilentQueues
from ordersaga.relay import window
from ordersaga.relay.announced import Announced
from ordersaga.relay.dispatch import (
    CHUNK,
    MAX_IN_FLIGHT,
    MAX_READ_AHEAD,
    PAGE_BYTES,
    READ_AHEAD_BYTES,
    Dispatch,
    DrainTimeout,
    chunks,
)
from ordersaga.relay.publisher import BrokerUnavailable, MessageRefused, Publisher
from ordersaga.relay.purge import Purger
from ordersaga.relay.window import Cursor, Outgoing, Window
from ordersaga.runtime.logs import log

PAGE = 1000
"""Rows read at once; in a long window also the step in which the cursor moves."""

SHORTEST_IDLE = 0.002
LONGEST_IDLE = 0.050
IDLE_SHARE = 0.05
"""A pause is this share of the idle time so far: polling delays a message by at most a twentieth of the gap before it.

At 20 messages/s that is 1.3 of the 3.5 ms from commit to consumer, for 7 % of a core; idle it is 20 polls/s and less
than 1 %. So there is no LISTEN/NOTIFY: it could save that one millisecond, and each writer would have to notify.
"""


class PublishLoop:
    """Publishes one database for as long as its session and the broker connection last."""

    def __init__(
        self,
        database: str,
        connection: Connection[Any],
        publisher: Publisher,
        queues: SilentQueues,
        announced: Announced | None,
        purger: Purger,
        max_bytes: int,
        stop: threading.Event,
    ) -> None:
        self.up_to_date_at = time.monotonic()
        """Every row committed until then is confirmed or recorded as undeliverable."""
        self._connection = connection
        self._purger = purger
        self._max_bytes = max_bytes
        self._stop = stop
        self._log = log.bind(database=database)
        self._active_at = time.monotonic()
        self._dispatch = Dispatch(database, connection, publisher, queues, announced, max_bytes, stop)
        self._undeliverable = self._dispatch.undeliverable
        self._opened = Window("", [])
        self._unread = 0

    @property
    def unconfirmed(self) -> int:
        """Rows of the current window that the broker has neither confirmed nor refused."""
        return self._unread + self._dispatch.in_flight.outstanding

    @property
    def problem(self) -> str:
        """Why the broker confirms nothing, in a sentence; empty while it confirms."""
        return self._dispatch.stall.problem

    def run(self) -> None:
        """Publish window after window until `stop` is set, then settle the messages in flight.

        Raises:
            BrokerUnavailable, psycopg.Error: a server is away; this relay leads no more.
            MessageRefused: the broker closed the channel; the message is recorded as undeliverable.
        """
        self._dispatch.drop_in_flight()
        try:
            self._publish_windows()
            self._dispatch.settle(0, MAX_READ_AHEAD)
        except DrainTimeout:
            self._save_progress()
            self._log.warning("stopped before every message was confirmed", in_flight=self._dispatch.in_flight.count)
        except MessageRefused as error:
            if not self._dispatch.record_refused(error):
                raise BrokerUnavailable(str(error)) from error
            self._save_progress()
            raise
        finally:
            self._undeliverable.clear_gauges()

    def _publish_windows(self) -> None:
        cursor = window.load_cursor(self._connection)
        while not self._stop.is_set():
            now = time.monotonic()
            self._dispatch.retry_due()
            self._opened = window.open_window(self._connection, cursor)
            self._dispatch.in_flight.open_window()
            if self._opened.positions or cursor.target:
                cursor = self._publish(now)
                self._active_at = time.monotonic()
            else:
                self.up_to_date_at = now
                if not self._purger.purge_idle():
                    self._idle()

    def _publish(self, opened_at: float) -> Cursor:
        """Publish the window and move the cursor past it; if stopped or without room, only inside it."""
        if self._send_window():
            self.up_to_date_at = opened_at
            return window.close_window(self._connection, self._opened.target)
        self._save_progress()
        if not self._stop.is_set():
            self._wait_for_room()
        return window.load_cursor(self._connection)

    def _send_window(self) -> bool:
        """Send every row. Returns True once all are settled, False if stopped or too many rows are undeliverable."""
        positions = self._opened.positions
        self._unread = len(positions)
        read = 0
        while read < len(positions):
            if read:
                self._save_progress()
            rows = self._read_page(positions[read : read + PAGE])
            self._purger.purge_beside(len(rows))
            for chunk in chunks(rows):
                self._dispatch.settle(MAX_IN_FLIGHT - CHUNK, MAX_READ_AHEAD - CHUNK)
                if self._stop.is_set() or self._undeliverable.is_full:
                    self._dispatch.settle(0, 0)
                    return False
                self._unread -= len(chunk)
                self._dispatch.send(chunk)
            read = bisect_right(positions, rows[-1].position) if rows else read + PAGE
        while (outstanding := self._dispatch.in_flight.outstanding) > PAGE:
            if not self._dispatch.settle(MAX_IN_FLIGHT, outstanding - PAGE):
                return False
            self._save_progress()
        self._dispatch.settle(MAX_IN_FLIGHT, 0)
        return self._dispatch.in_flight.is_settled

    def _read_page(self, positions: list[int]) -> list[Outgoing]:
        """The rows at the first of these positions: as many as PAGE_BYTES allows, once there is room for them."""
        self._dispatch.settle(MAX_IN_FLIGHT, MAX_READ_AHEAD, READ_AHEAD_BYTES - PAGE_BYTES)
        return window.fetch_page(self._connection, positions, self._max_bytes, PAGE_BYTES)

    def _save_progress(self) -> None:
        """Move the cursor to the last position of the window up to which every row is settled.

        The cursor keeps the window's end only together with a position. Without a position, a crash opens a wider
        window from the same start, which is harmless; with one, a row that commits later may have a lower position.
        """
        settled = self._dispatch.in_flight.advance()
        if settled is not None:
            window.save_confirmed(self._connection, self._opened.target, settled)

    def _wait_for_room(self) -> None:
        """Publish nothing new until enough undeliverable messages are delivered or skipped."""
        self._log.error(
            "too many messages are undeliverable: nothing new is published, see `parked list`",
            messages=self._undeliverable.count,
        )
        while not self._stop.is_set() and not self._undeliverable.has_room:
            self._dispatch.retry_due()
            self._dispatch.idle(LONGEST_IDLE)
        self._log.info("enough undeliverable messages are gone: publishing again", messages=self._undeliverable.count)

    def _idle(self) -> None:
        idle = time.monotonic() - self._active_at
        self._dispatch.idle(min(max(idle * IDLE_SHARE, SHORTEST_IDLE), LONGEST_IDLE))
