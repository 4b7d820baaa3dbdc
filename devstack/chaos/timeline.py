"""Timeline: what happened in a chaos run and when, in a file of JSON lines."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

Event = Literal["inject", "not injected", "skipped", "heal", "not healed", "unready", "ready", "phase"]


@dataclass(frozen=True)
class Moment:
    """`at` is seconds since the start of the load; `fault` and `number` are empty unless a scheduled fault did it."""

    at: float
    event: Event
    text: str
    fault: str = ""
    number: int = 0


class Timeline:
    """Written from any thread; `said` is called with each moment.

    `note` keeps a moment in `moments` also when it cannot write it, and raises nothing, so that faults are still
    healed.
    """

    def __init__(self, path: Path, said: Callable[[Moment], None] = lambda _: None) -> None:
        self.moments: list[Moment] = []
        self.began_at = time.time()
        """Unix time of the start of the load, in seconds."""
        self._began = time.monotonic()
        self._said = said
        self._lock = threading.Lock()
        self._path = path
        self._file = path.open("w")
        self._failure = ""

    def begin(self) -> None:
        """The load starts now."""
        self.began_at, self._began = time.time(), time.monotonic()

    def now(self) -> float:
        """Seconds since the start of the load."""
        return round(time.monotonic() - self._began, 2)

    def note(self, event: Event, text: str, fault: str = "", number: int = 0) -> Moment:
        with self._lock:
            moment = Moment(self.now(), event, text, fault, number)
            self.moments.append(moment)
            with self._remembered():
                if not self._file.closed:
                    self._file.write(json.dumps(asdict(moment)) + "\n")
                    self._file.flush()
        self._said(moment)
        return moment

    def close(self) -> None:
        with self._lock, self._remembered():
            self._file.close()

    def lacks(self) -> str:
        """Why the file does not hold every moment, as a sentence; empty when it does."""
        return f"{self._path} cannot be written: {self._failure}" if self._failure else ""

    @contextmanager
    def _remembered(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._failure = self._failure or repr(error)


@dataclass(frozen=True)
class Span:
    """A fault from its injection until it was healed, as it was and not as it was planned."""

    number: int
    fault: str
    began: float
    ended: float
    did: str
    healed: str


def spans(moments: list[Moment]) -> list[Span]:
    """In the order in which they began; what was never healed lasts until the last moment."""
    last = moments[-1].at if moments else 0.0
    found = []
    for begun in (moment for moment in moments if moment.event == "inject"):
        ends = (m for m in moments if m.number == begun.number and m.event in ("heal", "not healed"))
        end = next(ends, Moment(last, "not healed", "It was not healed."))
        found.append(Span(begun.number, begun.fault, begun.at, end.at, begun.text, end.text))
    return found


def seconds_to_ready(moments: list[Moment]) -> list[tuple[float, float]]:
    """For each time that the last fault of a group had healed: when, and the seconds until all was ready again.

    A group whose recovery was not seen before the next fault is left out.
    """
    found = []
    active, healed_at, was_unready = set[int](), None, False
    for moment in moments:
        if moment.event == "inject":
            active.add(moment.number)
            healed_at = None
        elif moment.event in ("heal", "not healed"):
            active.discard(moment.number)
            healed_at = None if active else moment.at
            if healed_at is not None and not was_unready:
                found.append((healed_at, 0.0))
                healed_at = None
        elif moment.event == "unready":
            was_unready = True
        elif moment.event == "ready":
            was_unready = False
            if healed_at is not None:
                found.append((healed_at, round(moment.at - healed_at, 2)))
                healed_at = None
    return found
