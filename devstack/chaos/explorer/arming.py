"""Arming: the file of each process that arms its failpoints, and the mark of one that was reached."""

import time
from pathlib import Path

from devstack.chaos.explorer.product import Entry
from devstack.chaos.wiring import Wiring
from devstack.processes import Process
from ordersaga.runtime.armed_failpoints import mark_of
from ordersaga.runtime.failpoints import VARIABLE

POLL_SECONDS = 0.02


class Arming:
    """Every process of the stack is started with a file of its own, which is there while a failpoint of it is armed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in directory.iterdir():
            left.unlink()

    def wire(self, wiring: Wiring) -> None:
        wiring.set("failpoints", self._environment)

    def _environment(self, process: Process, environment: dict[str, str]) -> dict[str, str]:
        return {**environment, VARIABLE: str(self.file(process.name))}

    def file(self, process: str) -> Path:
        return self._directory / process

    def arm(self, entry: Entry) -> None:
        """From its next passage on; it acts once."""
        file = self.file(entry.process)
        mark_of(file, entry.point).unlink(missing_ok=True)
        new = file.with_name(f"{file.name}.new")
        new.write_text(f"{entry.armed}\n")
        new.chmod(0o600)
        new.replace(file)

    def disarm(self, entry: Entry) -> None:
        self.file(entry.process).unlink(missing_ok=True)

    def is_reached(self, entry: Entry) -> bool:
        return mark_of(self.file(entry.process), entry.point).exists()

    def await_reached(self, entry: Entry, seconds: float) -> bool:
        """Whether it has acted within so many seconds."""
        end = time.monotonic() + seconds
        while not (reached := self.is_reached(entry)) and time.monotonic() < end:
            time.sleep(POLL_SECONDS)
        return reached
