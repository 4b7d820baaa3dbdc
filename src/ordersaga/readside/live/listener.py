"""A listener of the event log: its filter, and a bounded queue of events to send."""

from collections.abc import Callable
from threading import Condition
from typing import NamedTuple

from ordersaga.readside.events import EventFilter, LoggedEvent

MAX_QUEUED = 2000
"""Events that wait for a client; a client further behind is disconnected, and reconnects with its last id."""


class Frame(NamedTuple):
    """An event as server-sent event."""

    position: int
    text: str


class Ended(Exception):
    """The listener has ended; no frame follows."""


class Listener:
    """Frames for one client, all behind the position `joined_at`."""

    def __init__(self, wanted: EventFilter, joined_at: int, on_full: Callable[[], None]) -> None:
        self.joined_at = joined_at
        self._wanted = {name: value for name, value in wanted._asdict().items() if value is not None}
        self._on_full = on_full
        self._frames: list[Frame] = []
        self._ended = False
        self._changed = Condition()

    def wants(self, event: LoggedEvent) -> bool:
        """Whether the event passes the filter."""
        return all(getattr(event, name) == value for name, value in self._wanted.items())

    def offer(self, frame: Frame) -> None:
        """Queue a frame; when the queue is full, end and call `on_full`."""
        with self._changed:
            if len(self._frames) < MAX_QUEUED:
                self._frames.append(frame)
                self._changed.notify()
                return
        self.end()
        self._on_full()

    def end(self) -> None:
        """Drop all frames; `take` raises Ended from now on."""
        with self._changed:
            self._frames.clear()
            self._ended = True
            self._changed.notify()

    def take(self, seconds: float) -> list[Frame]:
        """All queued frames, after waiting up to so many seconds for the first. Raises Ended."""
        with self._changed:
            self._changed.wait_for(lambda: self._frames or self._ended, seconds)
            if self._ended:
                raise Ended
            taken, self._frames = self._frames, []
            return taken
