"""Runs schedules from a seed on, and prints the first that violates something, shortened: `make simulate`."""

import argparse
import gc
import os
import sys
import time

from tests.simulation.installed import installed
from tests.simulation.search import KINDS, Found, search, shrunk

TELL_SECONDS = 5.0
DESCRIPTION = """Runs schedules in which the product's own code works between models of Postgres and of RabbitMQ: relays
among late commits, kills, lost connections, refusals, silent queues and crashes; consumers among copies, failing
reactions, kills and queues that change hands. After some dozens of random steps everything heals and must arrive. The
first schedule that violates something is printed in its shortest form. Exit code: 0 nothing found, 1 something found,
130 interrupted."""


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.simulation", description=DESCRIPTION)
    parser.add_argument("--kind", choices=KINDS, help="of schedules (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="of the first schedule (default 0)")
    parser.add_argument("--count", type=int, default=10_000, help="of schedules of each kind (default 10000)")
    return parser.parse_args()


class Speed:
    """Tells now and then how many have run."""

    def __init__(self) -> None:
        self.ran = 0
        self._began = time.process_time()
        self._tell_at = time.monotonic() + TELL_SECONDS

    def __call__(self) -> bool:
        if time.monotonic() > self._tell_at:
            self._tell_at += TELL_SECONDS
            sys.stderr.write(f"{self}\n")
        self.ran += 1
        return False

    def __str__(self) -> str:
        seconds = time.process_time() - self._began
        return f"{self.ran} schedules in {seconds:.1f} s of CPU, {self.ran / max(seconds, 0.001):.0f} a second"


def main() -> int:
    wanted = parsed()
    gc.freeze()
    with installed():
        found = [searched(name, wanted) for name in KINDS if wanted.kind in (None, name)]
        for each in filter(None, found):
            print(shrunk(each))  # noqa: T201
    return 1 if any(found) else 0


def searched(name: str, wanted: argparse.Namespace) -> Found | None:
    speed = Speed()
    _, found = search(KINDS[name], wanted.seed, wanted.count, until=speed)
    print(f"{name}: {speed}: {'one violates what must hold' if found else 'nothing found'}")  # noqa: T201
    return found


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of a set of texts depends on it, and a seed must lead to the same run each time.
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, "PYTHONHASHSEED": "0"})
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
