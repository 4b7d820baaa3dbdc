"""Sending rows, at most one of each key at a time, and seeing to what becomes of each: confirmed, or undeliverable."""

import threading
import time
from collections.abc import Sequence
from typing import Any

from prometheus_client import Counter
from psycopg import Connection

from ordersaga.relay import session
from ordersaga.relay.confirms import Outcome
from ordersaga.relay.flight import Flight
from ordersaga.relay.publisher import Publisher
from ordersaga.relay.undeliverable import Refused, Undeliverable
from ordersaga.relay.window import Outgoing

AT_ONCE = 100
"""Messages in one write to the socket, some 100 KB."""
IN_FLIGHT = 2000
"""Messages with the broker and not yet confirmed; with 8000 it was no faster, with 500 a fifth slower."""
READ_AHEAD = 5000
"""Rows read and not settled: so many may wait behind others of their key before other keys wait with them."""

SIGN_OF_LIFE = 1.0
"""Seconds between two statements at most; the server ends a session that is silent for three."""
DRAIN_SECONDS = 10.0
"""How long a relay that is told to stop waits for what is in flight."""
MOST_BYTES_OF_A_CHARACTER = 4
BEHIND = "waits for an earlier message of its key"

published = Counter("ordersaga_relay_messages_published_total", "Messages that the broker has confirmed", ["database"])


class DrainTookTooLong(Exception):
    """The relay was told to stop, and the broker did not confirm what is in flight."""


class Dispatch:
    """What is with the broker and what is undeliverable, of one database and one lead."""

    def __init__(
        self,
        database: str,
        connection: Connection[Any],
        publisher: Publisher,
        largest: int,
        stop: threading.Event,
    ) -> None:
        self.flight = Flight()
        self.undeliverable = Undeliverable(database, connection)
        self._connection = connection
        self._publisher = publisher
        self._largest = largest
        self._stop = stop
        self._stop_seen_at = 0.0
        self._published = published.labels(database)
        self._heard_at = self._said_at = time.monotonic()

    @property
    def unanswered_seconds(self) -> float:
        """How long the broker has confirmed nothing of what is in flight."""
        return time.monotonic() - self._heard_at if self.flight.in_flight else 0.0

    def send(self, rows: Sequence[Outgoing]) -> None:
        """Take the window's next rows in hand; those of a key that has undeliverable ones go behind these."""
        self.flight.read(rows)
        keys = self.undeliverable.keys
        if keys and (behind := [row for row in rows if row.message.key in keys]):
            self._record([Refused(row, "waits", BEHIND) for row in behind])
            rows = [row for row in rows if row.message.key not in keys]
        self._launch(self.flight.admit(rows))
        if not self.flight.is_plain:
            self._hear(self.flight.in_flight, 0)

    def redrive(self) -> None:
        """Try again what is due of the undeliverable."""
        if self.undeliverable.keys and not self._stop.is_set():
            rows = self.undeliverable.due(self.flight.has, AT_ONCE)
            self.flight.admit_again(rows)
            self._launch(rows)

    def settle(self, in_flight: int, outstanding: int) -> bool:
        """Wait until at most so many messages are with the broker, and so many rows of the window not settled.

        Returns False when told to stop first; all that is with the broker is settled then.

        Raises:
            DrainTookTooLong: told to stop, and it takes more than ten seconds.
        """
        flight = self.flight
        while flight.in_flight > in_flight or flight.outstanding > outstanding:
            if self._stop.is_set() and not flight.in_flight:
                return False
            self.redrive()
            at_most = min(in_flight, outstanding) if flight.is_plain else flight.in_flight - 1
            self._hear(at_most, SIGN_OF_LIFE)
            self._check_drain()
        return True

    def rest(self, seconds: float) -> None:
        """Wait so long at most, with an ear for the broker."""
        if self.flight.in_flight:
            self._hear(self.flight.in_flight - 1, seconds)
        else:
            self._publisher.wait(seconds)
            self._show_life()

    def _hear(self, at_most: int, seconds: float) -> None:
        """Until at most so many messages are with the broker, it refuses one, or the time is over."""
        self._take(self._publisher.settle(at_most, seconds))
        self._show_life()

    def _show_life(self) -> None:
        now = time.monotonic()
        if now - self._said_at > SIGN_OF_LIFE / 2:
            session.show_life(self._connection)
            self._said_at = now

    def _check_drain(self) -> None:
        if not self._stop.is_set():
            return
        self._stop_seen_at = self._stop_seen_at or time.monotonic()
        if time.monotonic() - self._stop_seen_at > DRAIN_SECONDS - SIGN_OF_LIFE:
            raise DrainTookTooLong

    def blame(self, limit: int, reason: str) -> bool:
        """The broker closed the channel at the first body of more than `limit` bytes: that message is undeliverable.

        False when there is none.
        """
        found = next((row for row in self.flight.with_the_broker if size(row) > limit), None)
        if found is not None:
            self._refuse([Refused(found, "too_large", reason)])
        return found is not None

    def abandon(self) -> None:
        """Wish to hear no more of what is with the broker."""
        self._publisher.abandon()
        self.flight.clear()

    def _launch(self, rows: Sequence[Outgoing]) -> None:
        """Send rows whose turn it is, but for those that are too large."""
        certain = self._largest // MOST_BYTES_OF_A_CHARACTER
        if any(len(row.message.body) > certain for row in rows):
            large = [row for row in rows if size(row) > self._largest]
            rows = [row for row in rows if size(row) <= self._largest]
            self._launch(self._refuse([Refused(row, "too_large", self._too_large(row)) for row in large]))
        if rows:
            if not self.flight.in_flight:
                self._heard_at = time.monotonic()
            self._publisher.send([row.message for row in rows])
            self.flight.sent(rows)

    def _too_large(self, row: Outgoing) -> str:
        return f"its body has {size(row)} bytes, RELAY_MAX_MESSAGE_BYTES is {self._largest}"

    def _take(self, outcome: Outcome) -> None:
        if not outcome.settled:
            return
        self._heard_at = time.monotonic()
        rows = self.flight.landed(outcome.settled)
        refused = {each.index: Refused(rows[each.index], each.kind, each.reason) for each in outcome.refusals}
        confirmed = [row for index, row in enumerate(rows) if index not in refused] if refused else rows
        self._published.inc(len(confirmed))
        due = self._confirm(confirmed) + self._refuse(list(refused.values()))
        if not self._stop.is_set():
            self._launch(due)

    def _confirm(self, rows: Sequence[Outgoing]) -> list[Outgoing]:
        """Returns the rows whose turn it is now."""
        flight = self.flight
        redriven = [row for row in rows if flight.finish(row)]
        due = [after for row in rows if (after := flight.next_of(row.message.key))]
        if redriven:
            again = self.undeliverable.delivered(redriven)
            if not self._stop.is_set():
                flight.admit_again(again)
                due += again
        return due

    def _refuse(self, refused: Sequence[Refused]) -> list[Outgoing]:
        """Keep what was refused, and what waits behind it; what was kept before is put off.

        Returns the rows whose turn it is now: those behind a message that a person has discarded meanwhile.
        """
        due: list[Outgoing] = []
        new: list[Refused] = []
        for each in refused:
            key = each.row.message.key
            if self.flight.is_redriven(each.row):
                self.flight.finish(each.row)
                self.undeliverable.refused_again(each)
                due += [after for after in (self.flight.next_of(key),) if after]
            else:
                new += [each, *(Refused(row, "waits", BEHIND) for row in self.flight.give_up(key))]
        self._record(new)
        return due

    def _record(self, refused: Sequence[Refused]) -> None:
        """In the table for good before the cursor can move over them."""
        if refused:
            self.undeliverable.record(refused)
            self.flight.set_aside(each.row for each in refused)


def size(row: Outgoing) -> int:
    """Bytes of the body, which is what brokers limit."""
    return len(row.message.body.encode())
