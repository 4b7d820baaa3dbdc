"""The schedule of a chaos run: which faults, when, and for how long; all of it follows from the seed."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

from devstack.chaos.fault import Fault

Kind = type[Fault]

WARM_UP_SECONDS, COOL_DOWN_SECONDS = 8.0, 10.0
"""Before the first fault and after the last one; the load goes on meanwhile."""
QUIET_SECONDS = (6.0, 12.0)
"""Between two groups of faults, so that recovery can be seen."""
PAIRS = 0.45
"""Share of the groups in which two faults overlap."""
SHORTEST_TO_OVERLAP = 1.0
BOTH_SERVERS = 0.15
"""Share of the chances to pair faults of both servers that are taken: without both there is no progress."""


@dataclass(frozen=True)
class Scheduled:
    """One fault; times are seconds since the start of the load, to a tenth."""

    number: int
    name: str
    at: float
    lasts: float
    seed: str
    """Of the fault's own choices."""

    @property
    def until(self) -> float:
        return round(self.at + self.lasts, 1)

    def as_object(self) -> dict[str, Any]:
        return asdict(self)


def schedule(seed: int, seconds: float, kinds: Iterable[Kind]) -> list[Scheduled]:
    """Faults singly and in pairs that overlap, in the order in which they begin.

    The same seed, seconds and kinds give the same list. Every kind comes once before any comes twice, except those
    for which the time that is left is too short.
    """
    maker = ScheduleMaker(Random(seed), seed, sorted(kinds, key=lambda kind: kind.name))
    at, end = WARM_UP_SECONDS, seconds - COOL_DOWN_SECONDS
    while first := maker.draw(end - at):
        last = maker.add(first, at, end)
        if last.lasts >= SHORTEST_TO_OVERLAP and maker.chance.random() < PAIRS:
            at_second = round(at + maker.chance.uniform(0.1, 0.8) * last.lasts, 1)
            if second := maker.draw(end - at_second, beside=first):
                last = max(last, maker.add(second, at_second, end), key=lambda each: each.until)
        at = round(last.until + maker.chance.uniform(*QUIET_SECONDS), 1)
    return maker.made


class ScheduleMaker:
    """Draws kinds of faults from a shuffled deck, which is filled again when it is empty."""

    def __init__(self, chance: Random, seed: int, kinds: list[Kind]) -> None:
        self.chance = chance
        self.made: list[Scheduled] = []
        self._seed = seed
        self._kinds = kinds
        self._deck: list[Kind] = []

    def draw(self, seconds: float, beside: Kind | None = None) -> Kind | None:
        """The next kind that has time enough, and that may overlap `beside`; None when there is none."""
        found = self._first_that_fits(seconds, beside)
        if found is None and (beside is None or not self._deck):
            drawn = [kind for kind in self._kinds if kind not in self._deck]
            self._deck += self.chance.sample(drawn, len(drawn))
            found = self._first_that_fits(seconds, beside)
        if found:
            self._deck.remove(found)
        return found

    def _first_that_fits(self, seconds: float, beside: Kind | None) -> Kind | None:
        fitting = (kind for kind in self._deck if kind.shortest <= seconds)
        return next((kind for kind in fitting if beside is None or self._may_overlap(beside, kind)), None)

    def _may_overlap(self, first: Kind, second: Kind) -> bool:
        if first is second or first.alone or second.alone:
            return False
        if first.server and second.server:
            return first.server != second.server and self.chance.random() < BOTH_SERVERS
        return True

    def add(self, kind: Kind, at: float, end: float) -> Scheduled:
        """Schedule it from `at`, to be over at `end` at the latest."""
        lasts = round(self.chance.uniform(kind.shortest, min(kind.longest, end - at)), 1)
        number = len(self.made) + 1
        self.made.append(Scheduled(number, kind.name, at, lasts, f"{self._seed}-{number}"))
        return self.made[-1]


def as_text(scheduled: Iterable[Scheduled]) -> str:
    """A line for each fault, as `chaos run --schedule` prints it."""
    lines = [f"{each.at:8.1f} s  for {each.lasts:5.1f} s  {each.name}" for each in scheduled]
    return "\n".join(lines)
