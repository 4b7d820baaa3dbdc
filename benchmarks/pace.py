"""Pace: how fast the machine is, because on a shared host the same work takes twice the CPU time a minute later."""

import os
import platform
import sys
import time
from statistics import median
from typing import Any

ADDITIONS = 1_000_000
LOOPS = 3
"""At each look, a tenth of a second together."""


def loop_ms() -> float:
    """Milliseconds of CPU for a fixed loop, which does nothing but count."""
    began, total = time.process_time(), 0
    for number in range(ADDITIONS):
        total += number
    return 1000 * (time.process_time() - began)


class Pace:
    """Times the loop now and whenever it is asked to."""

    def __init__(self) -> None:
        self._load = os.getloadavg()[0]
        self._times: list[float] = []
        self.look()

    def look(self) -> None:
        self._times += [loop_ms() for _ in range(LOOPS)]

    def about(self) -> dict[str, Any]:
        """Of the run: the interpreter, and the load average before the first look."""
        ranked = sorted(self._times)
        return {
            "python": platform.python_version(),
            "interpreter": os.path.realpath(sys.executable),
            "cpus": os.cpu_count(),
            "load_before": round(self._load, 1),
            "loop_ms": [round(each) for each in (ranked[0], median(ranked), ranked[-1])],
        }


def sentence(about: dict[str, Any]) -> str:
    """The same to read."""
    least, middle, most = about["loop_ms"]
    return (
        f"{about['cpus']} cores, load average before {about['load_before']}; Python {about['python']} "
        f"({about['interpreter']}); a loop of a million additions took {least} to {most} ms of CPU, median {middle}."
    )
