"""Search: runs schedule after schedule until one violates something, and tells it by its shortest schedule."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from tests.simulation.run import Violated, run
from tests.simulation.shrinking import shortest
from tests.simulation.steps import Step, made

STEPS = 50
"""Of a schedule, before all heals."""


@dataclass(frozen=True)
class Found:
    """A schedule that violates something."""

    seed: int
    violation: str
    steps: Sequence[Step]

    def __str__(self) -> str:
        steps = "\n".join(f"  {step}" for step in self.steps)
        return (
            f"{self.violation}\nseed {self.seed}, {len(self.steps)} steps and then everything heals:\n{steps}\n"
            f"Run it again: make simulate SEED={self.seed} COUNT=1"
        )


def violation_of(steps: Sequence[Step], seed: int) -> str:
    """What a schedule violates, or the error that ended a thread of the product; empty: nothing."""
    try:
        run(steps, seed)
    except Violated as violated:
        return str(violated)
    except Exception as error:  # noqa: BLE001 - any error of the product is a finding
        return repr(error)
    return ""


def search(first: int, count: int, until: Callable[[], bool] = lambda: False) -> tuple[int, Found | None]:
    """Run the schedules of so many seeds, or until it holds. Returns how many ran, and the first that fails."""
    for number, seed in enumerate(range(first, first + count)):
        if until():
            return number, None
        steps = made(seed, STEPS)
        if violation := violation_of(steps, seed):
            return number + 1, Found(seed, violation, steps)
    return count, None


def shrunk(found: Found) -> Found:
    """The same with the shortest schedule that fails in the same way."""
    steps = shortest(found.steps, partial(violation_of, seed=found.seed))
    return Found(found.seed, violation_of(steps, found.seed), steps)
