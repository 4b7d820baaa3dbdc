"""LoopStandIns: all parts of a relay but its PublishLoop, which runs in the thread of its test."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from ordersaga.relay import dispatch, publish_loop
from ordersaga.relay.dispatch import READ_AHEAD_BYTES
from ordersaga.relay.in_flight import InFlight
from ordersaga.relay.publish_loop import PublishLoop
from ordersaga.relay.window import Cursor, Outgoing, Window
from tests.library.unit.outgoing import row

BEGIN, FIRST, SECOND = "10:10:", "20:20:", "30:30:"
PAGE, CHUNK = 10, 4


@dataclass
class LoopStandIns:
    """What a PublishLoop calls, and what it did, in order."""

    did: list[tuple[Any, ...]] = field(default_factory=list)
    now: float = 100.0
    saved: Cursor = field(default_factory=lambda: Cursor(BEGIN))
    windows: list[tuple[str, int, int]] = field(default_factory=list)
    """Of the next looks: the target, the first position and the one behind the last. Behind them nothing is new."""
    gone: set[int] = field(default_factory=set)
    at_once: int = PAGE
    """Rows that the bytes of a page allow."""
    confirms: bool = True
    """Whether each row is confirmed as soon as it is sent."""
    failures: list[Exception] = field(default_factory=list)
    """Of the next calls of `send`."""
    has_settled: bool = True
    """What `settle` returns."""
    steps: list[Callable[[], object]] = field(default_factory=list)
    """Each happens while the loop waits; behind the last one it is stopped."""
    is_recorded: bool = True
    rung: bool = False
    purged: list[bool] = field(default_factory=list)
    near: bool = False

    def __post_init__(self) -> None:
        self.loop: PublishLoop
        self.in_flight = InFlight()
        self.stop = threading.Event()
        self.stall = SimpleNamespace(problem="")
        self.undeliverable = SimpleNamespace(
            is_full=False, has_room=False, count=7, clear_gauges=lambda: self.note("clear gauges")
        )
        self.rows: list[str] = []

    def note(self, *what: Any) -> None:
        self.did.append(what)

    def of(self, what: str) -> list[list[Any]]:
        return [rest for name, *rest in self.did if name == what]

    # The module `window`
    def load_cursor(self, _: object) -> Cursor:
        return self.saved

    def open_window(self, _: object, cursor: Cursor, limits: object, save: Cursor | None) -> Window:
        self.note("open", cursor, save)
        target, first, end = self.windows.pop(0) if self.windows else (cursor.target or cursor.published, 0, 0)
        positions = list(range(first, end))
        return Window(target, positions, self.page(positions))

    def fetch_page(self, _: object, positions: list[int], limits: object) -> list[Outgoing]:
        self.note("fetch", positions)
        return self.page(positions)

    def page(self, positions: Sequence[int]) -> list[Outgoing]:
        return [row(position) for position in positions[:PAGE] if position not in self.gone][: self.at_once]

    def save_cursor(self, _: object, cursor: Cursor) -> None:
        self.note("save", cursor)
        self.saved = cursor

    # Dispatch
    def drop_in_flight(self) -> None:
        self.note("drop")
        self.in_flight.clear()

    def retry_due(self) -> None:
        self.note("retry")

    def send(self, rows: list[Outgoing]) -> None:
        self.note("send", [each.position for each in rows])
        self.in_flight.read(rows)
        self.in_flight.mark_sent(self.in_flight.admit(rows))
        if self.failures:
            raise self.failures.pop(0)
        if self.confirms:
            self.confirm(len(rows))

    def confirm(self, number: int) -> None:
        for each in self.in_flight.pop_settled(number):
            self.in_flight.finish(each)
            self.in_flight.next_of(each.message.key)

    def settle(self, count: int, outstanding: int, size: int = READ_AHEAD_BYTES) -> bool:
        self.note("settle", count, outstanding, size)
        if not self.has_settled:
            self.stop.set()
            return False
        while self.in_flight.exceeds(count, outstanding, size):
            self.confirm(1)
        return True

    def idle(self, seconds: float, woken: object = None) -> None:
        self.note("idle", seconds)
        self.now += seconds
        if self.steps:
            self.steps.pop(0)()
        else:
            self.stop.set()

    def record_refused(self, error: Exception) -> bool:
        self.note("record", error)
        return self.is_recorded

    # Detachments
    def follow(self, cursor: Cursor, holds: bool) -> bool:
        self.note("follow", cursor, holds)
        return self.near

    def attach(self, cursor: Cursor) -> None:
        self.note("attach", cursor)

    def detach(self, partitions: object) -> None:
        self.note("detach", partitions)

    # The others
    def reset(self) -> None:
        self.rung = False

    def has_rung(self) -> bool:
        return self.rung

    def purge_beside(self, number: int) -> None:
        self.note("purge beside", number)

    def purge_idle(self) -> bool:
        return self.purged.pop(0) if self.purged else False

    def keep(self, rows: list[Outgoing], window_end: str) -> None:
        self.note("keep", [each.position for each in rows], window_end)

    def monotonic(self) -> float:
        return self.now


def install(monkeypatch: pytest.MonkeyPatch) -> LoopStandIns:
    """In place of what `publish_loop` calls, until the test ends."""
    found: Any = LoopStandIns()
    for name, value in {"window": found, "time": found, "PAGE": PAGE, "CHUNK": CHUNK}.items():
        monkeypatch.setattr(publish_loop, name, value)
    monkeypatch.setattr(publish_loop, "Dispatch", lambda *_: found)
    monkeypatch.setattr(dispatch, "CHUNK", CHUNK)
    access: Any = SimpleNamespace(database="published", max_bytes=1000)
    found.loop = PublishLoop(access, found, found, found, found, found, found, found, found.stop)
    stand_ins: LoopStandIns = found
    return stand_ins


def look_again(relay: LoopStandIns, rounds: int = 1) -> None:
    """The loop looks so many times more before it is stopped."""
    relay.steps += [lambda: None] * rounds
