"""Search: runs schedule after schedule until one violates something, and tells it by its shortest schedule."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from tests.simulation import consumer_run, run, steps
from tests.simulation.schedule_run import Violated
from tests.simulation.shrinking import shortest
from tests.simulation.steps import Step


@dataclass(frozen=True)
class Kind:
    """What a schedule is about."""

    name: str
    made: Callable[[int, int], list[Step]]
    run: Callable[[Sequence[Step], int], object]
    steps: int
    """Of a schedule, before all heals."""

    def schedule(self, seed: int) -> list[Step]:
        return self.made(seed, self.steps)

    def violation(self, schedule: Sequence[Step], seed: int) -> str:
        """What a schedule violates, or the error that ended a thread of the product; empty: nothing."""
        try:
            self.run(schedule, seed)
        except Violated as violated:
            return str(violated)
        except Exception as error:  # noqa: BLE001 - any error of the product is a finding
            return repr(error)
        return ""


RELAYS = Kind("relays", steps.made, run.run, 50)
CONSUMERS = Kind("consumers", consumer_run.made, consumer_run.run, 60)
STOPS = Kind("stops", steps.made_with_stops, run.run, 50)
KINDS = {kind.name: kind for kind in (RELAYS, STOPS, CONSUMERS)}


@dataclass(frozen=True)
class Found:
    """A schedule that violates something."""

    kind: Kind
    seed: int
    violation: str
    steps: Sequence[Step]

    def __str__(self) -> str:
        listed = "\n".join(f"  {step}" for step in self.steps)
        return (
            f"{self.violation}\nseed {self.seed} of {self.kind.name}, "
            f"{len(self.steps)} steps, then all heals:\n{listed}\n"
            f"Run it again: make simulate KIND={self.kind.name} SEED={self.seed} COUNT=1"
        )


def search(kind: Kind, first: int, count: int, until: Callable[[], bool] = lambda: False) -> tuple[int, Found | None]:
    """Run the schedules of so many seeds, or until it holds. Returns how many ran, and the first that fails."""
    for number, seed in enumerate(range(first, first + count)):
        if until():
            return number, None
        schedule = kind.schedule(seed)
        if violation := kind.violation(schedule, seed):
            return number + 1, Found(kind, seed, violation, schedule)
    return count, None


def shrunk(found: Found) -> Found:
    """The same with the shortest schedule that fails in the same way."""
    left = shortest(found.steps, partial(found.kind.violation, seed=found.seed))
    return replace(found, violation=found.kind.violation(left, found.seed), steps=left)
