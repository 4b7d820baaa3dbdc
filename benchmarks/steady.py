"""`python -m benchmarks.steady`: most of what the stack carries for some minutes, in windows of ten seconds."""

import argparse
import json
import sys
import tempfile
import threading
import time
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from benchmarks import crowd, spent, stack
from benchmarks.kept import file_of
from benchmarks.load import MOST, OpenLoad, Sample, due_times
from benchmarks.pace import Pace, sentence
from benchmarks.rows import Row, shortened
from benchmarks.under_load import WAIT_SECONDS, Load, behind, percentile, wait_compensated
from devstack.running import Stack

SHARE = 0.8
"""Of the rate that the stack sustains with customers who wait."""
WINDOW_SECONDS = 10.0
KEPT = file_of("steady")


class Look(NamedTuple):
    """At one moment, of all processes together: CPU seconds so far, and MB."""

    at: float
    cpu_s: float
    memory_mb: float


class Window(NamedTuple):
    """Orders that were due within ten seconds; `seconds` is its end, from the start of the load."""

    seconds: float
    orders: int
    ended: int
    p50_ms: float
    p99_ms: float
    cpu_s: float
    memory_mb: float


class Watch(threading.Thread):
    """Looks at the processes at the end of each window, beside the load."""

    def __init__(self, pids: dict[str, int], start: float, windows: int) -> None:
        super().__init__(daemon=True)
        self._pids, self._start, self._windows = pids, start, windows
        self.looks = [self._look()]

    def run(self) -> None:
        for number in range(1, self._windows + 1):
            time.sleep(max(0.0, self._start + number * WINDOW_SECONDS - time.perf_counter()))
            self.looks.append(self._look())

    def _look(self) -> Look:
        return Look(time.perf_counter(), sum(spent.cpu(self._pids).values()), spent.memory_mb(self._pids))


class Steady(NamedTuple):
    """One load over all windows."""

    load: Load
    windows: list[Window]

    @property
    def p99_growth(self) -> float:
        """The median 99th percentile of the last third of the windows / that of the first third."""
        return thirds([window.p99_ms for window in self.windows])

    @property
    def memory_growth(self) -> float:
        """The same of memory."""
        return thirds([window.memory_mb for window in self.windows])

    def beside(self) -> dict[str, Any]:
        growth = {"p99_growth": shortened(self.p99_growth), "memory_growth": shortened(self.memory_growth)}
        return {"rate": shortened(self.load.rate), **self.load.beside(), **growth}


def thirds(figures: list[float]) -> float:
    """Last third / first third, of medians."""
    size = max(1, len(figures) // 3)
    return median(figures[-size:]) / median(figures[:size])


def steady(running: Stack, rate: float, seconds: float) -> Steady:
    """As under_load.of_stack, but watched."""
    pids = stack.pids(running)
    number = max(1, int(seconds / WINDOW_SECONDS))
    before = spent.cpu(pids)
    with closing(stack.customers(running, WAIT_SECONDS, stack.DECLINED_EVERY, MOST)) as waiting:
        start = time.perf_counter()
        watch = Watch(pids, start, number)
        watch.start()
        samples = OpenLoad(waiting, to_the_end=True).run(due_times(start, rate, seconds))
        watch.join()
    done = wait_compensated(running, samples)
    cpu = spent.since(before, pids)
    load = Load(rate, start + seconds, samples, done, cpu, spent.memory_mb(pids), behind(running, samples))
    return Steady(load, windows(samples, start, watch.looks))


def windows(samples: list[Sample], start: float, looks: list[Look]) -> list[Window]:
    made = []
    for number, (earlier, later) in enumerate(pairwise(looks)):
        end = start + (number + 1) * WINDOW_SECONDS
        within = [each for each in samples if end - WINDOW_SECONDS <= each.due < end]
        times = [1000 * (each.ended - each.due) for each in within if each.ended is not None]
        p50, p99 = percentile(times, 50), percentile(times, 99)
        cpu = later.cpu_s - earlier.cpu_s
        made.append(Window(end - start, len(within), len(times), p50, p99, cpu, later.memory_mb))
    return made


def row(found: Steady, reference: float | None) -> Row:
    p99 = shortened(found.load.p(99))
    ratio = shortened(p99 / reference) if reference else None
    return Row("saga_at_80_percent_p99_ms", p99, "ms", reference, ratio, found.beside())


def report(found: Steady) -> None:
    print(f"{'until':>6} {'orders':>7} {'ended':>7} {'p50 ms':>8} {'p99 ms':>8} {'CPU s':>7} {'MB':>6}")
    for each in found.windows:
        print(
            f"{each.seconds:5.0f}s {each.orders:7} {each.ended:7} {each.p50_ms:8.1f} {each.p99_ms:8.1f} "
            f"{each.cpu_s:7.2f} {each.memory_mb:6.0f}"
        )
    for name, value in found.beside().items():
        print(f"{name}: {value}")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.steady",
        description="Offers a share of the rate that is sustained with customers who wait, which it measures first, to "
        "the whole stack with servers of its own, every tenth order declined, and shows latency, CPU and memory of "
        "each ten seconds.",
    )
    parser.add_argument("--minutes", type=float, default=5, help="(%(default)s)")
    parser.add_argument("--share", type=float, default=SHARE, help="of the sustained rate (%(default)s)")
    parser.add_argument("--rate", type=float, help="orders a second instead of the share")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the windows there too")
    parser.add_argument("--keep", action="store_true", help="write them where `python -m benchmarks.report` reads them")
    options = parser.parse_args()
    pace = Pace()
    with tempfile.TemporaryDirectory(prefix="steady-") as directory, stack.shop(Path(directory)) as running:
        carried = crowd.of_waiting(running, 10).per_s  # also warms the stack up
        rate = options.rate or options.share * carried
        found = steady(running, rate, 60 * options.minutes)
    pace.look()
    report(found)
    print(sentence(pace.about()))
    for path in filter(None, (options.json, KEPT if options.keep else None)):
        path.write_text(to_json(found, pace.about()))
    return 0


def to_json(found: Steady, about: dict[str, Any]) -> str:
    made = {"about": about, "rows": [row(found, None)._asdict()], "windows": [each._asdict() for each in found.windows]}
    return json.dumps(made, indent=2) + "\n"


if __name__ == "__main__":
    sys.exit(main())
