"""Further attempts at parked messages, key by key in order, beside the consumer and on a connection of its own."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, NamedTuple

from psycopg import Connection

from ordersaga.inbox import forks
from ordersaga.inbox.delivery import Broken, Received, read
from ordersaga.inbox.handler import Handler
from ordersaga.inbox.outside import OutsideSteps
from ordersaga.parked import attempts, parked
from ordersaga.parked.attempts import Parked
from ordersaga.runtime.backoff import retry_on_conflict
from ordersaga.runtime.errors import ErrorKind, classify, describe
from ordersaga.runtime.logs import log, working_on

AT_ONCE = 16
"""Messages at their outside step at once."""
TOGETHER = 100
"""Messages that waited behind a healed one and now go into one transaction."""
IDLE_SECONDS = 1.0
ASKED_SECONDS = 0.02


class Attempt(NamedTuple):
    row: Parked
    message: Received


class Retries:
    """Every process of a group runs one: `skip locked` and the lease keep them apart."""

    def __init__(self, handler: Handler, outside: OutsideSteps) -> None:
        self.handler = handler
        self.outside = outside
        self._asked: dict[Future[Any], Attempt] = {}
        self._claimed: dict[int, Parked] = {}

    def step(self, connection: Connection[Any]) -> float:
        """Make one attempt that is due. Returns the seconds until it wants to be called again."""
        if self._claimed.keys() - self.asked_positions():
            self.give_back(connection)
        answered = next((future for future in self._asked if future.done()), None)
        if answered:
            self.go_on(connection, self._asked.pop(answered), answered)
        row = self.claim(connection)
        if row:
            self.begin(connection, row)
        return 0 if row or answered else self.pause(connection)

    def claim(self, connection: Connection[Any]) -> Parked | None:
        """One at a time: only the attempt under way may be counted when the process dies of it."""
        alone = any(attempt.row.did_not_end for attempt in self._asked.values())
        if alone or len(self._asked) >= AT_ONCE:
            return None
        row = attempts.claim(connection, alone=not self._asked)
        if row and row.state != "dead":
            self._claimed[row.position] = row
        return row

    def pause(self, connection: Connection[Any]) -> float:
        if self._asked:
            return ASKED_SECONDS
        due = attempts.seconds_until_due(connection)
        return IDLE_SECONDS if due is None else max(ASKED_SECONDS, min(IDLE_SECONDS, due))

    def asked_positions(self) -> set[int]:
        return {attempt.row.position for attempt in self._asked.values()}

    def give_back(self, connection: Connection[Any]) -> None:
        """What was claimed and not brought to an end, because the database went away, does not count."""
        asked = self.asked_positions()
        attempts.unclaim(connection, [row for row in self._claimed.values() if row.position not in asked])
        self._claimed = {position: row for position, row in self._claimed.items() if position in asked}

    def stop(self, connection: Connection[Any]) -> None:
        """Leave everything as if it had not been claimed."""
        self._asked.clear()
        self.give_back(connection)

    def begin(self, connection: Connection[Any], row: Parked) -> None:
        if row.state == "dead":
            log.error("message is dead: its last attempt did not end", message_id=str(row.message_id), key=row.key)
            return
        message = read(row.delivery, self.handler.contracts)
        if isinstance(message, Broken):
            self.end(row)
            attempts.postpone(connection, row, describe(message.reason), None)
        elif self.outside.needed(message):
            self._asked[self.outside.start(message, fresh=False)] = Attempt(row, message)
        else:
            self.attempt(connection, [Attempt(row, message), *self.released_together(connection, row)])

    def go_on(self, connection: Connection[Any], attempt: Attempt, future: "Future[Any]") -> None:
        """The outside step has ended."""
        error = future.exception()
        if isinstance(error, Exception):
            self.failed(connection, attempt, error)
        else:
            attempt.message.answer = future.result()
            self.attempt(connection, [attempt])

    def released_together(self, connection: Connection[Any], first: Parked) -> list[Attempt]:
        """What waits behind a message that is tried for the first time, and has never been tried either."""
        if first.attempts > 1 or first.key is None:
            return []
        found = list(self.untried(attempts.followers(connection, first, TOGETHER)))
        rows = attempts.count_attempt(connection, [attempt.row for attempt in found])
        return [Attempt(row, attempt.message) for row, attempt in zip(rows, found, strict=True)]

    def untried(self, rows: Sequence[Parked]) -> Iterator[Attempt]:
        for row in rows:
            message = read(row.delivery, self.handler.contracts)
            if row.state != "waiting" or row.attempts or isinstance(message, Broken) or self.outside.needed(message):
                return
            yield Attempt(row, message)

    def attempt(self, connection: Connection[Any], tried: Sequence[Attempt]) -> None:
        """Let messages of one key take effect and leave the table, in one transaction."""
        try:
            retry_on_conflict(partial(self.attempt_at_once, connection, tried))
            self.end(tried[0].row)
        except Exception as error:  # noqa: BLE001 - classified
            if len(tried) > 1 and classify(error) is not ErrorKind.UNAVAILABLE:
                self.separate(connection, tried[0].row)
            else:
                self.failed(connection, tried[0], error)

    def attempt_at_once(self, connection: Connection[Any], tried: Sequence[Attempt]) -> None:
        rows = [attempt.row for attempt in tried]
        with connection.transaction():
            parked.lock(connection, [rows[0].key])
            if not attempts.still_ours(connection, rows):
                attempts.unclaim(connection, rows)
                return
            known = self.handler.known(connection, [attempt.message.id for attempt in tried])
            new = [attempt.message for attempt in tried if forks.is_new(attempt.message, known)]
            if new:
                self.handler.handle(connection, new)
            attempts.remove(connection, rows)
            attempts.release_next(connection, rows[0].key)

    def separate(self, connection: Connection[Any], first: Parked) -> None:
        """The first is due again at once; those behind it have been tried now, so they will go one by one."""
        self.end(first)
        attempts.unclaim(connection, [first])

    def failed(self, connection: Connection[Any], attempt: Attempt, error: Exception) -> None:
        row, message = attempt
        kind = classify(error)
        if kind is ErrorKind.UNAVAILABLE:
            raise error
        last = kind is ErrorKind.INVALID or row.attempts >= parked.ATTEMPTS
        attempts.postpone(connection, row, describe(error), None if last else parked.pause_after(row.attempts))
        self.end(row)
        with working_on(message.message.cause, message.id):
            log.warning("attempt failed", attempts=row.attempts, dead=last, key=row.key, reason=repr(error))

    def end(self, row: Parked) -> None:
        self._claimed.pop(row.position, None)
