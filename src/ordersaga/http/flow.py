"""Flow: how many sagas are under way, how many end each second and after how long, from the newest events."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import takewhile
from math import inf
from typing import NamedTuple
from uuid import UUID

WINDOW_SECONDS = 2.0
"""The rate and the duration are those of the sagas that ended in the last two seconds."""
FEWEST_ENDS = 5
"""Fewer ends in the window are no evidence of a rate: nothing is refused while workers or the broker are away."""
FEWEST_OPEN = 100
"""So many sagas may always be under way: at a low rate a few slow ones are no queue."""
FORGOTTEN_AFTER = 8
"""Limits of the duration after which an open saga waits for something else than capacity, such as a resource that does
not answer."""
LONGEST_COUNTED = 4
"""Limits of the duration that one saga counts at most in the mean: a few that were stuck for hours say little."""
SLOW = 0.25
"""Of the limit: while sagas end sooner on average, those under way wait for something else than capacity."""


class SagaEvent(NamedTuple):
    """An event that begins or ends a saga."""

    id: UUID
    begins: bool
    at: float
    """Seconds, of the clock of the database."""
    by_message: bool
    """Whether a message caused it; the end by a request or a deadline is no sign that sagas flow."""


@dataclass(slots=True)
class Flow:
    """The sagas of the last seconds. It ignores an event that it already has, and an event may be missing.

    The rule is Little's law, L = λW: when sagas end at a rate of λ and L are under way, a new one takes L / λ seconds.
    So as many are let in as end in `limit` seconds.
    """

    limit: float
    """Seconds that a saga may take."""
    open: int = 0
    """Sagas under way, without those that were forgotten."""
    _begun: dict[UUID, float] = field(default_factory=dict)
    """Sagas begun lately -> when, oldest first."""
    _ended: dict[UUID, float] = field(default_factory=dict)
    """Sagas ended lately -> when, oldest first."""
    _durations: deque[tuple[float, float]] = field(default_factory=deque)
    """(end, duration) of the sagas that a message ended."""
    _too_old: float = -inf
    """Events before this time are forgotten."""

    def follow(self, events: Iterable[SagaEvent]) -> None:
        """Take in more events, oldest first."""
        for event in events:
            if event.at < self._too_old:
                continue
            if event.begins and event.id not in self._begun:
                self._begun[event.id] = event.at
                self.open += event.id not in self._ended
            elif not event.begins and event.id not in self._ended:
                self._ended[event.id] = event.at
                self.open -= event.id in self._begun
                if event.by_message:
                    self._durations.append((event.at, self._duration_of(event)))

    def _duration_of(self, event: SagaEvent) -> float:
        longest = LONGEST_COUNTED * self.limit
        return min(event.at - self._begun.get(event.id, 0.0), longest)

    def forget(self, now: float) -> None:
        """Drop what is too old to tell anything; `now` is of the clock of the database."""
        self._too_old = now - FORGOTTEN_AFTER * self.limit
        for id_ in expired(self._begun, self._too_old):
            del self._begun[id_]
            self.open -= id_ not in self._ended
        for id_ in expired(self._ended, self._too_old):
            del self._ended[id_]
        while self._durations and self._durations[0][0] < now - WINDOW_SECONDS:
            self._durations.popleft()

    @property
    def per_second(self) -> float:
        """Sagas that messages ended."""
        return len(self._durations) / WINDOW_SECONDS

    @property
    def duration(self) -> float:
        """The mean of those sagas, in seconds."""
        return sum(duration for _, duration in self._durations) / max(1, len(self._durations))

    @property
    def room(self) -> float:
        """How many more may begin; infinite while nothing shows that sagas wait for capacity."""
        if len(self._durations) < FEWEST_ENDS or self.duration < SLOW * self.limit:
            return inf
        return max(FEWEST_OPEN, self.per_second * self.limit) - self.open


def expired(moments: dict[UUID, float], before: float) -> list[UUID]:
    """The first of these that lie before a moment."""
    return list(takewhile(lambda id_: moments[id_] < before, moments))
