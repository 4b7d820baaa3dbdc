"""One who listens to the log: what is not sent to them yet, up to a bound."""

from collections.abc import Callable
from threading import Condition
from typing import NamedTuple

from projections.queries.events import Event, EventFilter

ROOM = 2000
"""Events that wait for a client; one that is further behind is let go, and comes back with the id of its last."""


class Frame(NamedTuple):
    """An event as it is sent."""

    position: int
    text: str


class Ended(Exception):
    """There is nothing more to come."""


class Listener:
    """Frames for one client; `joined_at` is the position behind which they come."""

    def __init__(self, wanted: EventFilter, joined_at: int, on_full: Callable[[], None]) -> None:
        self.joined_at = joined_at
        self._wanted = {name: value for name, value in wanted._asdict().items() if value is not None}
        self._on_full = on_full
        self._frames: list[Frame] = []
        self._ended = False
        self._changed = Condition()

    def wants(self, event: Event) -> bool:
        return all(getattr(event, name) == value for name, value in self._wanted.items())

    def offer(self, frame: Frame) -> None:
        """Keep it until it is taken; when there is no room, end and say so."""
        with self._changed:
            if len(self._frames) < ROOM:
                self._frames.append(frame)
                self._changed.notify()
                return
        self.end()
        self._on_full()

    def end(self) -> None:
        with self._changed:
            self._frames.clear()
            self._ended = True
            self._changed.notify()

    def take(self, seconds: float) -> list[Frame]:
        """All that is there, waited for up to so long. Raises Ended."""
        with self._changed:
            self._changed.wait_for(lambda: self._frames or self._ended, seconds)
            if self._ended:
                raise Ended
            taken, self._frames = self._frames, []
            return taken
