"""Pace: how often a resource may be called, by a token bucket and by the pauses that the resource asks for."""

import threading
import time
from collections.abc import Callable

FIRST_PAUSE_SECONDS = 1.0
"""The pause after the first answer that names none; it doubles with each, until a call is answered otherwise."""
MAX_PAUSE_SECONDS = 60.0
"""The longest pause that is kept; a resource that names a longer one is called again after this."""


class Pace:
    """The rate limit of one resource in this process; threads share it.

    It holds calls for one second at most: after a quiet time so many may be made at once. 0 calls per second is no
    limit; then only a pause holds calls up.
    """

    def __init__(self, calls_per_second: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.calls_per_second = calls_per_second
        self._clock = clock
        self._lock = threading.Lock()
        self._most = max(1.0, calls_per_second)
        self._calls = self._most
        self._counted_at = clock()
        self._paused_until = clock()
        self._next_pause = FIRST_PAUSE_SECONDS

    def take(self) -> float:
        """Take one call. Returns 0, or the seconds after which to ask again; then nothing was taken."""
        with self._lock:
            wait = self._seconds()
            if not wait and self.calls_per_second:
                self._calls -= 1
            return wait

    def seconds(self) -> float:
        """Seconds until a call may be made."""
        with self._lock:
            return self._seconds()

    def pause(self, seconds: float | None) -> None:
        """Let no call be made for so long: the resource has asked for it. None: it has not said for how long."""
        with self._lock:
            now = self._clock()
            if seconds is None and now < self._paused_until:
                return  # another of the calls that were under way together
            if seconds is None:
                seconds, self._next_pause = self._next_pause, min(2 * self._next_pause, MAX_PAUSE_SECONDS)
            self._paused_until = max(self._paused_until, now + min(seconds, MAX_PAUSE_SECONDS))

    def answered(self) -> None:
        """A call was answered: the next pause is a short one again."""
        self._next_pause = FIRST_PAUSE_SECONDS

    def _seconds(self) -> float:
        now = self._clock()
        if now < self._paused_until:
            return self._paused_until - now
        if not self.calls_per_second:
            return 0.0
        self._calls = min(self._most, self._calls + (now - self._counted_at) * self.calls_per_second)
        self._counted_at = now
        return max(0.0, (1 - self._calls) / self.calls_per_second)
