"""PublishLoop: opens a window when somebody rings, publishes it page by page, and moves the cursor behind it."""

import threading
import time
from bisect import bisect_right
from typing import Any

from psycopg import Connection

from ordersaga.broker.silent_queues import SilentQueues
from ordersaga.relay import window
from ordersaga.relay.access import Access
from ordersaga.relay.bell import Bell
from ordersaga.relay.detachments import Detachments
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
from ordersaga.relay.progress import Progress
from ordersaga.relay.publisher import BrokerUnavailable, MessageRefused, Publisher
from ordersaga.relay.purge import Purger
from ordersaga.relay.recent_rows import RecentRows
from ordersaga.relay.silence import QueueSilent
from ordersaga.relay.window import PAGE, Outgoing, PageLimits, Window
from ordersaga.runtime import failpoints
from ordersaga.runtime.logs import log

BACKSTOP_SECONDS = 0.050
"""Longest time between two looks for new rows: rings may be lost, and not every writer rings."""


class PublishLoop:
    """Publishes one database for as long as its session and the broker connection last."""

    def __init__(
        self,
        access: Access,
        connection: Connection[Any],
        publisher: Publisher,
        bell: Bell,
        queues: SilentQueues,
        detachments: Detachments,
        purger: Purger,
        recent_rows: RecentRows,
        stop: threading.Event,
    ) -> None:
        self._connection = connection
        self._bell = bell
        self._purger = purger
        self._recent_rows = recent_rows
        self._limits = PageLimits(access.max_bytes, PAGE_BYTES)
        self._stop = stop
        self._log = log.bind(database=access.database)
        self._detachments = detachments
        self._dispatch = Dispatch(access, connection, publisher, queues, detachments, stop)
        self._undeliverable = self._dispatch.undeliverable
        self._progress = self._from_cursor(time.monotonic())
        self._unread = 0
        self._look_at = 0.0
        """When the relay looks for new rows although nobody rings."""

    @property
    def up_to_date_at(self) -> float:
        """Every row committed until then is confirmed or recorded as undeliverable; by time.monotonic()."""
        return self._progress.up_to_date_at

    @property
    def unconfirmed(self) -> int:
        """Rows of the open windows that the broker has neither confirmed nor refused."""
        return self._unread + self._dispatch.in_flight.outstanding

    @property
    def problem(self) -> str:
        """Why the broker confirms nothing, in a sentence; empty while it confirms."""
        return self._dispatch.stall.problem

    @property
    def detached(self) -> list[str]:
        """The queues that get their messages later, each in a sentence."""
        return self._detachments.sentences()

    def run(self) -> None:
        """Publish window after window until `stop` is set, then settle the messages in flight.

        Raises:
            BrokerUnavailable, psycopg.Error: a server is away; this relay leads no more.
            MessageRefused: the broker closed the channel; the message is recorded as undeliverable.
            QueueSilent: a queue gives no answer; it is recorded as detached.
        """
        self._dispatch.drop_in_flight()
        try:
            self._publish_windows()
            self._dispatch.settle(0, MAX_READ_AHEAD)
        except DrainTimeout:
            self._log.warning("stopped before every message was confirmed", in_flight=self._dispatch.in_flight.count)
        except MessageRefused as error:
            is_recorded = self._dispatch.record_refused(error)
            self._save_progress()
            if is_recorded:
                raise
            raise BrokerUnavailable(str(error)) from error
        except BrokerUnavailable as error:
            self._save_progress()
            if isinstance(error, QueueSilent):
                self._detachments.detach(error.partitions)
            raise
        finally:
            self._undeliverable.clear_gauges()
        self._save_progress()

    def _publish_windows(self) -> None:
        while not self._stop.is_set():
            self._dispatch.retry_due()
            self._attach_queues()
            self._make_room()
            if not self._send_window(self._open_window()) and not self._stop.is_set():
                self._wait_for_room()
                self._progress = self._from_cursor(self.up_to_date_at)
            self._wait()

    def _attach_queues(self, holds: bool = False) -> None:
        """Attach the detached queues that have nearly caught up, once every row is settled.

        `holds`: every row that was read is settled, and no other is read for now; so a queue may be attached inside a
        window.
        """
        if not self._detachments.rows or not self._detachments.follow(self._progress.cursor, holds):
            return
        self._dispatch.settle(0, 0)
        if holds or (self._progress.is_settled and self._progress.next.target is None):
            self._detachments.attach(self._progress.cursor)

    def _make_room(self) -> None:
        """Wait until there is room for the first page of a window."""
        while (outstanding := self._dispatch.in_flight.outstanding) > PAGE:
            if not self._dispatch.settle(MAX_IN_FLIGHT, outstanding - PAGE):
                return
            self._save_progress()
        self._dispatch.settle(MAX_IN_FLIGHT, PAGE, READ_AHEAD_BYTES - PAGE_BYTES)

    def _from_cursor(self, up_to_date_at: float) -> Progress:
        return Progress(window.load_cursor(self._connection), self._dispatch.in_flight, up_to_date_at)

    def _open_window(self) -> Window:
        """Look for new rows; store the cursor in the same statement."""
        now = time.monotonic()
        progress, unsaved = self._progress, self._progress.unsaved()
        self._bell.reset()
        self._look_at = now + BACKSTOP_SECONDS
        if unsaved:
            failpoints.reach("relay.before-cursor")
        opened = window.open_window(self._connection, progress.next, self._limits, unsaved)
        if unsaved:
            failpoints.reach("relay.cursor-moved")
            progress.saved(unsaved)
        if opened.positions:
            failpoints.reach("relay.window-opened")
        if opened.positions or progress.next.target:
            progress.open(opened.target, now)
        elif progress.is_settled:
            progress.up_to_date_at = now
        return opened

    def _send_window(self, opened: Window) -> bool:
        """Send every row. Returns False if stopped before the last one, or too many rows are undeliverable."""
        positions, rows = opened.positions, opened.page
        del opened  # its page would stay in memory
        self._unread = len(positions)
        read = 0
        while read < len(positions):
            if read or not rows:
                self._save_progress()
                rows = self._read_page(positions[read : read + PAGE])
            if not self._send_page(rows):
                return False
            read = bisect_right(positions, rows[-1].position) if rows else read + PAGE
        self._progress.all_read()
        return True

    def _read_page(self, positions: list[int]) -> list[Outgoing]:
        """The rows at the first of these positions: as many as PAGE_BYTES allows, once there is room for them."""
        self._dispatch.settle(MAX_IN_FLIGHT, MAX_READ_AHEAD, READ_AHEAD_BYTES - PAGE_BYTES)
        return window.fetch_page(self._connection, positions, self._limits)

    def _send_page(self, rows: list[Outgoing]) -> bool:
        """Send rows. Returns False if stopped before the last one, or too many rows are undeliverable."""
        self._purger.purge_beside(len(rows))
        self._recent_rows.keep(rows, self._progress.next.published)
        for chunk in chunks(rows):
            self._dispatch.settle(MAX_IN_FLIGHT - CHUNK, MAX_READ_AHEAD - CHUNK)
            if self._stop.is_set() or self._undeliverable.is_full:
                self._dispatch.settle(0, 0)
                return False
            self._unread -= len(chunk)
            self._dispatch.send(chunk)
        return True

    def _save_progress(self) -> None:
        """Store the cursor, if it has moved."""
        if unsaved := self._progress.unsaved():
            failpoints.reach("relay.before-cursor")
            window.save_cursor(self._connection, unsaved)
            failpoints.reach("relay.cursor-moved")
            self._progress.saved(unsaved)

    def _wait(self) -> None:
        """Purge and read confirms until somebody rings, or it is time to look for new rows."""
        while not self._stop.is_set() and not self._bell.has_rung() and (left := self._look_at - time.monotonic()) > 0:
            has_purged = self._progress.is_settled and self._purger.purge_idle()
            self._dispatch.idle(0 if has_purged else left, self._bell.has_rung)

    def _wait_for_room(self) -> None:
        """Publish nothing new until enough undeliverable messages are delivered or skipped.

        Queues are attached meanwhile: an undeliverable message that a detached queue has passed waits for it.
        """
        self._save_progress()
        self._log.error(
            "too many messages are undeliverable: nothing new is published, see `parked list`",
            messages=self._undeliverable.count,
        )
        while not self._stop.is_set() and not self._undeliverable.has_room:
            self._dispatch.retry_due()
            self._attach_queues(holds=True)
            self._dispatch.idle(BACKSTOP_SECONDS)
        self._log.info("enough undeliverable messages are gone: publishing again", messages=self._undeliverable.count)
