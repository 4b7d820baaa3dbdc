"""Shrinking: drops steps from a schedule that fails, as long as it fails in the same way."""

from collections.abc import Callable, Sequence

from tests.simulation.steps import Step

Failure = Callable[[Sequence[Step]], str]
"""Runs a schedule. Returns what it violates; empty: nothing."""


def shortest(steps: Sequence[Step], failure: Failure, most: int = 2000) -> list[Step]:
    """A schedule of which no single step can be dropped, or what is left after so many runs."""
    left, kind = list(steps), kind_of(failure(steps))
    size = len(left) // 2
    while size and most > 0:
        for start in range(len(left) - size, -1, -size):
            fewer = left[:start] + left[start + size :]
            most -= 1
            if kind_of(failure(fewer)) == kind:
                left = fewer
        size = size // 2 if size > 1 or len(left) == len(steps) else 0
    return left


def kind_of(violation: str) -> str:
    """Without the numbers, which differ from schedule to schedule."""
    return "".join(character for character in violation if not character.isdigit())[:20]
