"""`python -m benchmarks.overload`: more orders than the stack carries: what it sheds, what becomes of the rest."""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from benchmarks import crowd, stack
from benchmarks.kept import file_of
from benchmarks.load import MOST, OpenLoad, Sample, due_times
from benchmarks.rows import Row, shortened
from benchmarks.under_load import late_ms, percentile
from devstack.running import Stack

KEPT = file_of("overload")
SHARE = 1.5
"""Of the sustained rate."""
FEW = 20.0
"""Orders a second before and after."""
BEFORE_SECONDS = 5.0
AFTER_SECONDS = 10.0
ENDING_SECONDS = 60.0
"""After the last order was due, until what is accepted and has not ended counts as unresolved."""
LOOK_EVERY = 0.25
NORMAL = 2.0
"""A second is normal when nothing is shed and its 90th percentile is at most so many times that of before."""


class Overload(NamedTuple):
    """Three parts of one load, and when the end of each accepted order was recorded (`time.perf_counter`)."""

    rate: float
    began: float
    over: float
    samples: list[Sample]
    ends: dict[UUID, float]

    @property
    def offered(self) -> list[Sample]:
        """Those of the overload alone."""
        return self.between(self.began, self.over)

    def between(self, start: float, end: float) -> list[Sample]:
        return [each for each in self.samples if start <= each.due < end]

    def times(self, samples: list[Sample]) -> list[float]:
        """Milliseconds from when each accepted order was due to the record of its end; infinite without one."""
        return [1000 * (self.ends.get(each.order_id, float("inf")) - each.due) for each in samples if each.order_id]

    @property
    def before(self) -> list[float]:
        return self.times(self.between(0, self.began))

    @property
    def normal_after(self) -> float | None:
        """Whole seconds from the end of the overload to the first normal one; None when none was."""
        return next((float(second) for second in range(int(AFTER_SECONDS)) if self.is_normal(second)), None)

    def is_normal(self, second: int) -> bool:
        samples = self.between(self.over + second, self.over + second + 1)
        bound = NORMAL * percentile(self.before, 90)
        answered = bool(samples) and all(each.order_id for each in samples)
        return answered and percentile(self.times(samples), 90) <= bound

    def beside(self) -> dict[str, Any]:
        offered = self.offered
        seconds = self.over - self.began
        accepted = [each for each in offered if each.order_id]
        shed = [each for each in offered if each.shed]
        answered = [1000 * (each.answered - each.due) for each in accepted if each.answered]
        return {
            "offered_per_s": shortened(len(offered) / seconds),
            "accepted_per_s": shortened(len(accepted) / seconds),
            "shed_per_s": shortened(len(shed) / seconds),
            "shed_by_status": {str(status): number for status, number in Counter(each.status for each in shed).items()},
            "shed_without_retry_after": sum(not each.retry_after for each in shed),
            "without_an_answer": sum(each.answered is None for each in offered),
            "ended": sum(each.order_id in self.ends for each in accepted),
            "unresolved": sum(each.order_id not in self.ends for each in accepted),
            "answered_p99_ms": shortened(percentile(answered, 99)),
            "p50_ms": shortened(percentile(self.times(offered), 50)),
            "sent_late_p99_ms": round(late_ms(offered), 2),
        }


def parts(start: float, rate: float, seconds: float) -> Iterator[float]:
    began, over = start + BEFORE_SECONDS, start + BEFORE_SECONDS + seconds
    return chain(
        due_times(start, FEW, BEFORE_SECONDS), due_times(began, rate, seconds), due_times(over, FEW, AFTER_SECONDS)
    )


def overload(running: Stack, rate: float, seconds: float) -> Overload:
    """Orders are answered at once: a client that waits would offer less."""
    start = time.perf_counter()
    with closing(stack.customers(running, 0, stack.DECLINED_EVERY, MOST)) as many:
        samples = OpenLoad(many, to_the_end=False).run(parts(start, rate, seconds))
    began = start + BEFORE_SECONDS
    accepted = {each.order_id for each in samples if each.order_id}
    return Overload(rate, began, began + seconds, samples, ends_of(running, accepted))


def ends_of(running: Stack, accepted: set[UUID]) -> dict[UUID, float]:
    """When each end was recorded, once all are, or when the time for ending is over."""
    end = time.monotonic() + ENDING_SECONDS
    while len(found := stack.ends(running, accepted)) < len(accepted) and time.monotonic() < end:
        time.sleep(LOOK_EVERY)
    ahead = time.time() - time.perf_counter()
    return {id_: recorded - ahead for id_, recorded in found.items()}


def rows(found: Overload) -> list[Row]:
    p99, before = percentile(found.times(found.offered), 99), percentile(found.before, 99)
    normal = AFTER_SECONDS if found.normal_after is None else found.normal_after
    return [
        Row(
            "saga_overload_accepted_p99_ms",
            shortened(p99),
            "ms",
            shortened(before),
            shortened(p99 / before),
            found.beside(),
        ),
        Row("saga_overload_normal_after_s", normal, "s", None, None, {"became_normal": found.normal_after is not None}),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.overload",
        description="Offers more orders than the whole stack carries, and shows what it sheds (429 or 503), what "
        "becomes of what it accepts, and how soon it is back to normal. Starts a stack with servers of its own.",
    )
    parser.add_argument("--share", type=float, default=SHARE, help="of the sustained rate (%(default)s)")
    parser.add_argument("--rate", type=float, help="orders a second instead of the share")
    parser.add_argument("--seconds", type=float, default=20, help="of overload (%(default)s)")
    parser.add_argument("--json", action="store_true", help="the rows as JSON")
    parser.add_argument("--keep", action="store_true", help="write them where `python -m benchmarks.report` reads them")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="overload-") as directory, stack.shop(Path(directory)) as running:
        carried = crowd.of_stack(running, 10).per_s  # also warms the stack up
        rate = options.rate or options.share * carried
        made = rows(overload(running, rate, options.seconds))
    as_json = json.dumps({"rows": [row._asdict() for row in made]}, indent=2) + "\n"
    if options.keep:
        KEPT.write_text(as_json)
    if options.json:
        print(as_json, end="")
    else:
        for row in made:
            print(f"{row.name}: {row.value} {row.unit}")
            print("".join(f"  {name}: {value}\n" for name, value in (row.beside or {}).items()), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
