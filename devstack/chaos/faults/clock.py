"""Fault: the clock of one process steps by hours while it runs, and steps back; the machine's stays as it is."""

import signal
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

from devstack.chaos.fault import Fault
from devstack.chaos.faults.target import NAMES, find, send
from devstack.chaos.stage import Stage
from devstack.managed import says_ready
from devstack.processes import Process

LIBRARY = "faketime/libfaketimeMT.so.1"
HOUR = 3600
STEPS = (-26 * HOUR, -2 * HOUR, -90, 90, 2 * HOUR, 26 * HOUR)
READY_SECONDS = 20
POLL = 0.2
SLEEP = """import select
import time

time.sleep = lambda seconds: select.select([], [], [], seconds) and None
"""
"""For `sitecustomize`: libfaketime 0.9.10 refuses Python's own `sleep` since 3.11, an absolute time of the monotonic
clock, with EINVAL; a process ended itself with it."""


def libraries() -> Sequence[Path]:
    return sorted(Path("/usr/lib").glob(f"*/{LIBRARY}"))


class StepClock(Fault):
    """The process is started once more, with libfaketime, which reads the step from a file every second."""

    name = "step-clock"
    does = "The clock of a process steps by up to 26 hours forward or backward while it runs, and later back."
    shortest, longest = 3, 5

    def __init__(self, stage: Stage, chance: Random) -> None:
        super().__init__(stage, chance)
        self.process = chance.choice([name for name in NAMES if name != "simulator"])
        self.seconds = chance.choice(STEPS)
        self.file = stage.stack.state.directory / f"clock-{self.process}"
        self.python = stage.stack.state.directory / "clock-python"

    def cannot_run(self) -> str:
        return "" if libraries() else f"It needs {LIBRARY}: install the package faketime."

    def change(self, process: Process, environment: dict[str, str]) -> dict[str, str]:
        if process.name != self.process:
            return environment
        own = {"LD_PRELOAD": str(libraries()[0]), "FAKETIME_TIMESTAMP_FILE": str(self.file)}
        own["PYTHONPATH"] = f"{self.python}:{environment['PYTHONPATH']}"
        kept = dict.fromkeys(("FAKETIME_DONT_FAKE_MONOTONIC", "NO_FAKE_STAT", "FAKETIME_CACHE_DURATION"), "1")
        return {**environment, **own, **kept}

    def inject(self) -> str:
        self.file.write_text("+0\n")
        self.python.mkdir(exist_ok=True)
        (self.python / "sitecustomize.py").write_text(SLEEP)
        self.stage.wiring.set(self.name, self.change)
        old = find(self.stage, self.process)
        send(self.stage, self.process, signal.SIGTERM)
        self._await(old.pid if old else 0)
        self.file.write_text(f"{self.seconds:+d}\n")
        return f"The clock of {self.process} steps by {self.seconds:+d} s."

    def _await(self, old: int) -> None:
        """Until it runs again and is ready, with its clock as it was; but not for ever."""
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end:
            now = find(self.stage, self.process)
            if now and now.pid != old and says_ready(self.stage.stack.state.port(self.process)):
                return
            time.sleep(POLL)

    def heal(self) -> str:
        if not self.file.exists():
            return ""
        self.file.write_text("+0\n")
        self.stage.wiring.remove(self.name)
        return f"The clock of {self.process} steps back."
