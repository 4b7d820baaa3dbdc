"""Retries: tries parked messages again, in order per key, beside the consumer and on another connection."""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple

from psycopg import Connection

from ordersaga.database.doorbell import no_ring
from ordersaga.database.locks import refuse_locked_tables
from ordersaga.inbox import forks, spans
from ordersaga.inbox.delivery import Broken, Received, read
from ordersaga.inbox.handler import Handler
from ordersaga.inbox.operation import Step
from ordersaga.inbox.outside import OutsideSteps
from ordersaga.parked import attempts, failure_notes, table
from ordersaga.parked.attempts import ParkedMessage
from ordersaga.runtime import failpoints
from ordersaga.runtime.backoff import retry_on_conflict
from ordersaga.runtime.errors import ErrorKind, NotCalled, RateLimited, classify, describe, session_ended
from ordersaga.runtime.logs import is_worth_a_line, log, working_on
from ordersaga.store.lazy_transaction import LazyTransaction

MAX_FOLLOWERS = 100
"""The most messages that go into one transaction with the message that they waited behind."""
IDLE_SECONDS = 1.0
OUTSIDE_SECONDS = 0.02
"""Between two checks of running outside steps."""
ROLLOUT_SECONDS = 5.0
"""Between two looks for messages that a worker of an older deployment kept because it did not know their contract, and
for those whose failure was put on hold or released while they failed."""


class Attempt(NamedTuple):
    """A claimed row and the message in it."""

    row: ParkedMessage
    message: Received


class Retries:
    """Every process of a group runs one; `skip locked` and the lease give each other messages."""

    def __init__(self, handler: Handler, outside: OutsideSteps, ring: Callable[[], None] = no_ring) -> None:
        """`ring` tells the relay, after a commit, that the outbox has new messages."""
        self.handler = handler
        self.ring = ring
        self.outside = outside
        self._outside: dict[Step, Attempt] = {}
        self._claimed: dict[int, ParkedMessage] = {}
        self._unrecorded: list[tuple[Attempt, Exception]] = []
        """Attempts that ended their session, to be recorded in the next."""
        self._contracts = list(handler.contracts)
        self._next_look = 0.0

    def step(self, connection: Connection[Any]) -> float:
        """Make one attempt that is due. Returns the seconds until the next step."""
        while self._unrecorded:
            self.record_failure(connection, *self._unrecorded[0])
            self._unrecorded.pop(0)
        if self._claimed.keys() - self.outside_positions():
            self.release_claims(connection)
        self.look_for_known(connection)
        ended = next((future for future in self._outside if future.done()), None)
        if ended:
            self.finish_outside(connection, self._outside.pop(ended), ended)
        row = self.claim(connection)
        if row:
            failpoints.reach("retry.claimed")
            self.begin(connection, row)
        return 0 if row or ended else self.pause(connection)

    def look_for_known(self, connection: Connection[Any]) -> None:
        if time.monotonic() >= self._next_look:
            attempts.release_known(connection, self._contracts)
            failure_notes.settle(connection)
            self._next_look = time.monotonic() + ROLLOUT_SECONDS

    def claim(self, connection: Connection[Any]) -> ParkedMessage | None:
        """Claim one message at a time: if the process dies, only the attempt under way must count."""
        alone = any(attempt.row.was_interrupted for attempt in self._outside.values())
        if alone or len(self._outside) > self.outside.places:
            return None
        unready = self.outside.unready_operations
        row = attempts.claim(connection, alone=not self._outside, contracts=self._contracts, unready=unready)
        if row and row.state != "dead":
            self._claimed[row.position] = row
        return row

    def pause(self, connection: Connection[Any]) -> float:
        if self._outside:
            return OUTSIDE_SECONDS
        due = attempts.seconds_until_due(connection, self._contracts, self.outside.unready_operations)
        return IDLE_SECONDS if due is None else max(OUTSIDE_SECONDS, min(IDLE_SECONDS, due))

    def outside_positions(self) -> set[int]:
        return {attempt.row.position for attempt in self._outside.values()}

    def release_claims(self, connection: Connection[Any]) -> None:
        """Release claims whose attempts did not run because the database went away; they do not count."""
        running = self.outside_positions()
        attempts.release_claims(connection, [row for row in self._claimed.values() if row.position not in running])
        self._claimed = {position: row for position, row in self._claimed.items() if position in running}

    def stop(self, connection: Connection[Any]) -> None:
        """Release all claims, so that another process continues at once."""
        self._outside.clear()
        self.release_claims(connection)

    def begin(self, connection: Connection[Any], row: ParkedMessage) -> None:
        """Start an attempt: its outside step if it has one, else the reaction."""
        if row.state == "dead":
            log.error("message is dead: its last attempt was interrupted", message_id=str(row.message_id), key=row.key)
            return
        message = read(row.delivery, self.handler.contracts)
        if isinstance(message, Broken):
            self.end(row)
            if message.is_unknown:
                attempts.await_contract(connection, row, describe(message.reason))
            else:
                attempts.postpone(connection, row, describe(message.reason), None)
            return
        spans.begin([message], row.attempts)
        if self.outside.needed(message):
            self._outside[self.outside.start(message, fresh=False)] = Attempt(row, message)
        else:
            self.attempt(connection, [Attempt(row, message), *self.followers_of(connection, row)])

    def finish_outside(self, connection: Connection[Any], attempt: Attempt, future: Step) -> None:
        """Make the attempt with the answer of its outside step, or record that the step failed."""
        error = future.exception()
        if isinstance(error, Exception):
            self.record_failure(connection, attempt, error)
        else:
            attempt.message.answer = future.result()
            self.attempt(connection, [attempt])

    def followers_of(self, connection: Connection[Any], first: ParkedMessage) -> list[Attempt]:
        """Untried messages behind a message that is tried for the first time: they go into its transaction."""
        if first.attempts > 1 or first.key is None:
            return []
        found = list(self.untried(attempts.followers(connection, first, MAX_FOLLOWERS)))
        rows = attempts.count_attempt(connection, [attempt.row for attempt in found])
        return [Attempt(row, attempt.message) for row, attempt in zip(rows, found, strict=True)]

    def untried(self, rows: Sequence[ParkedMessage]) -> Iterator[Attempt]:
        for row in rows:
            message = read(row.delivery, self.handler.contracts)
            is_tried = row.state != "waiting" or row.attempts > 0 or row.is_kept
            if is_tried or isinstance(message, Broken) or self.outside.needed(message):
                return
            spans.begin([message])
            yield Attempt(row, message)

    def attempt(self, connection: Connection[Any], tried: Sequence[Attempt]) -> None:
        """Let messages of one key take effect and delete their rows, in one transaction."""
        try:
            retry_on_conflict(partial(self.react, connection, tried))
            self.end(tried[0].row)
        except Exception as error:  # noqa: BLE001 - classified
            if len(tried) > 1 and classify(error) is not ErrorKind.UNAVAILABLE:
                self.separate(connection, tried[0].row)
            else:
                self.record_failure(connection, tried[0], error)

    def react(self, connection: Connection[Any], tried: Sequence[Attempt]) -> None:
        rows = [attempt.row for attempt in tried]
        began = spans.now()
        with LazyTransaction(connection, self.ring) as lazy:
            lazy.begin()
            table.lock(connection, [rows[0].key])
            if not attempts.still_claimed(connection, rows):
                attempts.release_claims(connection, rows)
                return
            look = self.handler.look(connection, [attempt.message for attempt in tried])
            new = [attempt.message for attempt in tried if forks.is_new(attempt.message, look.known)]
            if new:
                self.handler.handle(lazy, new, look, are_parked=True)
            attempts.remove(connection, rows)
            attempts.release_first(connection, rows[0].key)
            failpoints.reach("retry.before-commit")
        failpoints.reach("retry.after-commit")
        if began:
            spans.end([attempt.message for attempt in tried], new, new, began)

    def separate(self, connection: Connection[Any], first: ParkedMessage) -> None:
        """Make the first due again at once; the messages behind it count as tried, so they go one by one."""
        attempts.release_claims(connection, [first])
        self.end(first)

    def record_failure(self, connection: Connection[Any], attempt: Attempt, error: Exception) -> None:
        """Postpone the next attempt, or declare the message dead; one whose outside step was not called does not
        count. Raises the error if a server is away."""
        row, message = attempt
        failpoints.reach("retry.failed")
        kind = classify(error)
        if kind is ErrorKind.UNAVAILABLE:
            raise error
        if isinstance(error, NotCalled):
            attempts.release_uncalled(connection, row, message.operation, message.may_have_called)
            self.end(row)
            return
        if connection.closed:
            self._unrecorded.append((attempt, error))
            raise session_ended(error) from error
        if kind is ErrorKind.LOCKED:
            refuse_locked_tables(connection, error)
        last = kind is ErrorKind.INVALID or row.attempts >= table.MAX_ATTEMPTS
        failure = describe(error)
        spans.failed(message, failure.error)
        pause = None if last else max(table.pause_after(row.attempts), asked_pause(error))
        attempts.postpone(connection, row, failure, pause, message.operation)
        self.end(row)
        if not last and not is_worth_a_line(row.attempts):
            return
        reason = f"{failure.error}: {failure.message}"
        with working_on(message.message.cause, message.id):
            log.warning("attempt failed", attempts=row.attempts, dead=last, key=row.key, reason=reason)

    def end(self, row: ParkedMessage) -> None:
        self._claimed.pop(row.position, None)


def asked_pause(error: Exception) -> timedelta:
    """The pause that a resource asks for."""
    return timedelta(seconds=error.retry_after or 0 if isinstance(error, RateLimited) else 0)
