"""Waiting for a condition, for a limited time."""

import time
from collections.abc import Callable
from typing import TypeVar

from ordersaga.cli.errors import Failed

Found = TypeVar("Found")


def until(ask: Callable[[], Found], what: str, seconds: float, every: float = 0.05) -> Found:
    """The first true answer of `ask`. Raises Failed, which names what was waited for, after so many seconds."""
    end = time.monotonic() + seconds
    while not (found := ask()):
        if time.monotonic() > end:
            raise Failed(f"Waited {seconds:g} s for {what}.")
        time.sleep(every)
    return found
