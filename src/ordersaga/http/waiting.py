"""`Prefer: wait=N` (RFC 7240): delays an answer until the process that it describes has ended."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from threading import BoundedSemaphore
from typing import TypeVar

from ordersaga.runtime.backoff import Backoff

Result = TypeVar("Result")

LONGEST_SECONDS = 30
BACKOFF = Backoff(first=0.005, longest=0.1, factor=1.3, jitter=0)
"""A saga takes some 20 ms or many seconds."""
WAIT = re.compile(r'(?:^|[,;])\s*wait\s*=\s*"?(\d{1,9})"?\s*(?=$|[,;])', re.IGNORECASE)


def preferred_wait(prefer: str) -> int:
    """Seconds that the header asks for, at most 30; 0 without it."""
    match = WAIT.search(prefer)
    return min(int(match[1]), LONGEST_SECONDS) if match else 0


class WaitingRoom:
    """Limits the threads that wait, so that others stay free for new requests."""

    def __init__(self, places: int) -> None:
        self._places = BoundedSemaphore(places)

    @contextmanager
    def place(self) -> Iterator[bool]:
        """Take a place for the block; yields whether one was free."""
        taken = self._places.acquire(blocking=False)
        try:
            yield taken
        finally:
            if taken:
                self._places.release()


def wait_for(find: Callable[[], Result | None], seconds: float) -> Result | None:
    """Call `find` until it returns an answer; None when the time is over."""
    end = time.monotonic() + seconds
    for tries in count(1):
        time.sleep(max(0.0, min(BACKOFF.seconds(tries), end - time.monotonic())))
        found = find()
        if found is not None or time.monotonic() >= end:
            return found
    raise AssertionError("unreachable")
