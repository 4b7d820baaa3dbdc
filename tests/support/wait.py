"""Waiting for a condition, never for a while."""

import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def until(condition: Callable[[], Result], seconds: float = 20, every: float = 0.02) -> Result:
    """The first truthy answer of the condition.

    Raises:
        AssertionError: there was none within `seconds`; it tells the last answer.
    """
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"still {answer!r} after {seconds} s: {condition}")
        time.sleep(every)
