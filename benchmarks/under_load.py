"""One rate for some seconds: the latencies, and beside them what became of the orders and what they took."""

import time
from collections.abc import Sequence
from contextlib import closing
from typing import Any, NamedTuple
from uuid import UUID

from benchmarks import spent, stack
from benchmarks.customers import Customers
from benchmarks.load import GRACE_SECONDS, MOST, OpenLoad, Sample, due_times
from devstack.running import Stack

WAIT_SECONDS = 10
LOOK_EVERY = 0.1


class Load(NamedTuple):
    """`cpu` is CPU seconds by process, from before the first order until every one has ended and is compensated."""

    rate: float
    until: float
    """The end of the window: the time until which orders came."""
    samples: list[Sample]
    compensated: int
    cpu: dict[str, float]
    memory_mb: float
    behind: Sequence[float] = ()
    """Milliseconds from when each end was recorded to the answer that shows it."""

    @property
    def times(self) -> list[float]:
        """Milliseconds from when each order was due to the answer that shows its end."""
        return [1000 * (each.ended - each.due) for each in self.samples if each.ended is not None]

    @property
    def ended(self) -> int:
        return sum(each.ended is not None for each in self.samples)

    @property
    def cpu_ms(self) -> float:
        """Of all processes for one saga."""
        return 1000 * sum(self.cpu.values()) / max(1, self.ended)

    def p(self, percent: float) -> float:
        return percentile(self.times, percent)

    def is_unresolved(self, order: Sample) -> bool:
        """Whether it was accepted and had not ended when the window did."""
        return not order.shed and (order.ended is None or order.ended > self.until)

    def beside(self) -> dict[str, Any]:
        """What a latency means little without."""
        return {
            "orders": len(self.samples),
            "ended": self.ended,
            "compensated": self.compensated,
            "to_compensate": len(declined(self.samples)),
            "unresolved_at_the_end": sum(self.is_unresolved(each) for each in self.samples),
            "shed": sum(each.shed for each in self.samples),
            "cpu_s": round(sum(self.cpu.values()), 2),
            "memory_mb": round(self.memory_mb),
            "sent_late_p99_ms": round(late_ms(self.samples), 2),
            **({"answer_after_end_p50_ms": round(percentile(list(self.behind), 50), 2)} if self.behind else {}),
        }


def percentile(times: list[float], percent: float) -> float:
    """By nearest rank; infinite when nothing ended."""
    ranked = sorted(times)
    return ranked[min(len(ranked) - 1, int(len(ranked) * percent / 100))] if ranked else float("inf")


def late_ms(samples: list[Sample]) -> float:
    """The 99th percentile of how much later than due the customers sent: large means that they are the bottleneck."""
    return percentile([1000 * (each.sent - each.due) for each in samples], 99)


def declined(samples: list[Sample]) -> list[UUID]:
    return [each.order_id for each in samples if each.declined and each.order_id]


def offer(customers: Customers, rate: float, seconds: float) -> tuple[list[Sample], float]:
    """The samples, and the end of the window."""
    start = time.perf_counter()
    return OpenLoad(customers, to_the_end=True).run(due_times(start, rate, seconds)), start + seconds


def of_stack(running: Stack, rate: float, seconds: float) -> Load:
    """Every order asks to be answered at its end; every tenth card is declined."""
    pids = stack.pids(running)
    before = spent.cpu(pids)
    with closing(stack.customers(running, WAIT_SECONDS, stack.DECLINED_EVERY, MOST)) as waiting:
        samples, until = offer(waiting, rate, seconds)
    done = wait_compensated(running, samples)
    cpu = spent.since(before, pids)
    return Load(rate, until, samples, done, cpu, spent.memory_mb(pids), behind(running, samples))


def behind(running: Stack, samples: list[Sample]) -> list[float]:
    """The record of an end has the time at which its transaction began, so that the commit is in the figure."""
    recorded = stack.ends(running, [each.order_id for each in samples if each.order_id])
    ahead = time.time() - time.perf_counter()
    return [
        1000 * (each.ended + ahead - recorded[each.order_id])
        for each in samples
        if each.ended and each.order_id in recorded
    ]


def wait_compensated(running: Stack, samples: list[Sample]) -> int:
    """How many are compensated once all are, or when the grace is over."""
    ids, end = declined(samples), time.monotonic() + GRACE_SECONDS
    while (done := stack.compensated(running, ids)) < len(ids) and time.monotonic() < end:
        time.sleep(LOOK_EVERY)
    return done


def of_server(port: int, pids: dict[str, int], rate: float, seconds: float) -> Load:
    """Of the monolith, which has nothing to compensate."""
    before = spent.cpu(pids)
    with closing(Customers(port, "", 0, stack.DECLINED_EVERY, MOST)) as few:
        samples, until = offer(few, rate, seconds)
    return Load(rate, until, samples, len(declined(samples)), spent.since(before, pids), spent.memory_mb(pids))
