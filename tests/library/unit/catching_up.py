"""CatchUpStandIns: the outbox, the detached queue and the broker of a CatchUp, which runs in the thread of its test."""

import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from ordersaga.envelope.message import Message
from ordersaga.relay import catch_up, detached, session
from ordersaga.relay.access import Access
from ordersaga.relay.catch_up import CatchUp
from ordersaga.relay.confirms import Outcome
from ordersaga.relay.detached import ALL, Detached
from ordersaga.relay.window import Cursor, Outgoing, Window
from ordersaga.runtime.backoff import Backoff
from tests.library.unit.outgoing import CONTRACT

QUEUE = Detached("one.1", "queue", ALL, datetime.now(UTC))
OTHERS = Detached("one.1", "others", ALL, datetime.now(UTC))
MAX_BYTES = 1000
FROM, TO, LATER = Cursor("10:10:"), Cursor("20:20:"), Cursor("30:30:")
INSIDE = Cursor("10:10:", "20:20:", 2)
"""In the window from FROM to TO."""


class Rounds(threading.Event):
    """The end of a thread, which comes with the last of so many waits between two attempts."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.left = number
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0)
        self.left -= 1
        if not self.left:
            self.set()
        return self.is_set()


@dataclass
class CatchUpStandIns:
    """What a catch-up finds, and what it has done."""

    windows: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    rows: dict[int, Outgoing] = field(default_factory=dict)
    at_once: int = 1000
    """Rows that the bytes of a page allow."""
    never: set[int] = field(default_factory=set)
    reached: Cursor | None = FROM
    """As the table has it."""
    opened: list[Cursor] = field(default_factory=list)
    moves: list[Cursor] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)

    now: float = 100.0
    sent: list[tuple[str, int]] = field(default_factory=list)
    """Exchange and position of each message."""
    unsettled: int = 0
    outcomes: list[Outcome | Exception] = field(default_factory=list)
    """Of the next calls of `settle`; behind them all are confirmed."""
    settled: list[tuple[int, float]] = field(default_factory=list)
    connections: int = 0
    closed: int = 0
    steps: list[Callable[[], object]] = field(default_factory=list)
    """Each is called while the catch-up waits; after the last one, the catch-up is ended."""
    waited: int = 0

    answers: list[bool] = field(default_factory=list)
    """Of the queue; behind them it answers."""
    slept: list[float] = field(default_factory=list)
    """While it was asked."""

    def __post_init__(self) -> None:
        self.asking = SimpleNamespace(sleep=self.sleep, close=lambda: None)

    def make(self, row: Detached = QUEUE, rounds: int = 1, retried: set[int] | None = None) -> CatchUp:
        """A catch-up of the row."""
        access = Access("outside", "url", "amqp://localhost", MAX_BYTES, 60, None, threading.Semaphore(1))
        thread = CatchUp(row, [CONTRACT], access, set() if retried is None else retried)
        thread._end = Rounds(rounds)
        self.steps.append(thread.end)
        self.thread = thread
        return thread

    def window(self, since: Cursor, to: Cursor, *rows: Outgoing) -> None:
        self.windows[since.published, to.published] = [each.position for each in rows]
        self.rows |= {each.position: each for each in rows}

    @property
    def positions(self) -> list[int]:
        return [position for _, position in self.sent]

    # The module `window`
    def open_window(self, _: object, cursor: Cursor, limits: object) -> Window:
        self.opened.append(cursor)
        assert cursor.target
        positions = self.windows[cursor.published, cursor.target]
        return Window(cursor.target, positions[bisect_right(positions, cursor.confirmed_position or 0) :], [])

    def fetch_page(self, _: object, positions: Sequence[int], limits: object) -> list[Outgoing]:
        return [self.rows[position] for position in positions if position in self.rows][: self.at_once]

    # The modules `detached` and `undeliverable`
    def cursor_of(self, *_: object) -> Cursor | None:
        return self.reached

    def move(self, _: object, row: Detached, cursor: Cursor) -> None:
        assert row == self.thread.row
        self.reached = cursor
        self.moves.append(cursor)

    def never_sent(self, _: object, positions: Sequence[int]) -> set[int]:
        return self.never & set(positions)

    # A session
    def execute(self, statement: str) -> None:
        self.statements.append(statement)

    # A connection that asks the queue
    def answer(self, connection: object, queue: str) -> bool:
        assert connection is self.asking
        assert queue == self.thread.row.queue
        return self.answers.pop(0) if self.answers else True

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if not self.answers:
            self.thread.end()

    # The publisher
    def connect(self) -> None:
        self.connections += 1

    def close(self, seconds: float = 0) -> None:
        self.closed += 1
        self.unsettled = 0

    def send(self, messages: Sequence[Message], exchanges_of: Callable[[Message], Sequence[str]]) -> None:
        self.sent += [(exchange, each.sequence) for each in messages for exchange in exchanges_of(each)]
        self.unsettled += len(messages)

    def settle(self, at_most: int, seconds: float) -> Outcome:
        self.settled.append((at_most, seconds))
        outcome = self.outcomes.pop(0) if self.outcomes else Outcome(self.unsettled, ())
        if isinstance(outcome, Exception):
            raise outcome
        if not outcome.settled:
            self.now += seconds
        self.unsettled -= outcome.settled
        return outcome

    def wait(self, seconds: float) -> None:
        self.waited += 1
        assert self.steps, "it goes on after its end"
        self.steps.pop(0)()

    def monotonic(self) -> float:
        return self.now


def install(monkeypatch: pytest.MonkeyPatch) -> CatchUpStandIns:
    """In place of what `catch_up` calls, until the test ends."""
    found = CatchUpStandIns()

    @contextmanager
    def connect(url: str, what: str) -> Iterator[CatchUpStandIns]:
        yield found

    given: dict[str, Any] = {
        "Publisher": lambda *_: found,
        "connect": lambda _: found.asking,
        "answers": found.answer,
        "never_sent": found.never_sent,
        "window": found,
        "time": found,
        "BACKOFF": Backoff(first=1.0, longest=5.0, jitter=0),
    }
    for name, value in given.items():
        monkeypatch.setattr(catch_up, name, value)
    monkeypatch.setattr(session, "connect", connect)
    monkeypatch.setattr(detached, "cursor_of", found.cursor_of)
    monkeypatch.setattr(detached, "move", found.move)
    return found


def run_to_end(outside: CatchUpStandIns, goal: Cursor | None = TO) -> None:
    """Run the catch-up in this thread until it ends."""
    outside.thread.goal = goal
    outside.thread.run()
