"""An open load: orders come at their times, whether or not those before have been answered."""

import heapq
import random
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from uuid import UUID

from benchmarks.customers import SHED, Answer, Customers, Placed

MOST = 1000
"""Customers of an open load: so many orders may be without an answer before one is late because of its customer."""
AGAIN_SECONDS = 0.05
"""Until an order is asked for again that was answered without its end."""
GRACE_SECONDS = 30.0
"""After the last order was due, until what has not ended counts as not ended."""
LONGEST_PAUSE_SECONDS = 0.5


class Sample(NamedTuple):
    """What became of one order; times of `time.perf_counter`.

    `answered` is the time of its first answer, `ended` that of the answer which shows its end.
    """

    due: float
    sent: float
    declined: bool
    order_id: UUID | None = None
    status: int = 0
    retry_after: str = ""
    answered: float | None = None
    ended: float | None = None

    @property
    def shed(self) -> bool:
        return self.status in SHED


def due_times(start: float, rate: float, seconds: float) -> Iterator[float]:
    """At random distances, the same in every run, so that orders do not fall into step with anything that polls."""
    pauses = random.Random(20)
    due = start
    while due < start + seconds:
        yield due
        due += pauses.uniform(0.5, 1.5) / rate


class OpenLoad:
    """One load on one API. With `to_the_end` an order is asked for until an answer shows its end."""

    def __init__(self, customers: Customers, to_the_end: bool) -> None:
        self._customers = customers
        self._to_the_end = to_the_end
        self._open: dict[Placed, Answer | None] = {}
        """The first answer of each that is not done."""
        self._again: list[tuple[float, Placed]] = []
        self.done: list[Sample] = []
        """In the order of their last answers; after `run` also those that have not ended."""

    def run(self, times: Iterable[float]) -> list[Sample]:
        """Offer an order at each of the times, and wait for the answers, for GRACE_SECONDS after the last."""
        waiting = iter(times)
        due = next(waiting, None)
        last = time.perf_counter()
        while due is not None or (self._open and time.perf_counter() < last + GRACE_SECONDS):
            if due is not None and self._customers.free and time.perf_counter() >= due:
                self._open[self._customers.place(due)] = None
                last, due = due, next(waiting, None)
                continue
            self._ask_again()
            for answer in self._customers.answers(self._pause(due)):
                self._take(answer)
        self.done += [sample(placed, first, None) for placed, first in self._open.items()]
        return self.done

    def _pause(self, due: float | None) -> float:
        now = time.perf_counter()
        times = [now + LONGEST_PAUSE_SECONDS]
        if due is not None and self._customers.free:
            times.append(due)
        if self._again:
            times.append(self._again[0][0])
        return min(times) - now

    def _ask_again(self) -> None:
        while self._again and self._customers.free and self._again[0][0] <= time.perf_counter():
            self._customers.send(heapq.heappop(self._again)[1])

    def _take(self, answer: Answer) -> None:
        placed = answer.placed
        first = self._open[placed] or answer
        refused = first.status in SHED
        if answer.ended or refused or not self._to_the_end:
            del self._open[placed]
            self.done.append(sample(placed, first, answer))
        else:
            self._open[placed] = first
            heapq.heappush(self._again, (answer.at + AGAIN_SECONDS, placed))


def sample(placed: Placed, first: Answer | None, last: Answer | None) -> Sample:
    begun = Sample(placed.due, placed.sent, placed.declined)
    if first is None:
        return begun
    ended = last.at if last and last.ended else None
    return begun._replace(
        order_id=first.order_id,
        status=first.status,
        retry_after=first.retry_after,
        answered=first.at,
        ended=ended,
    )
