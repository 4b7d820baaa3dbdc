"""Build: the source of the shop with a few lines exchanged, which a stack runs in place of it."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from devstack.chaos.builds.harm import NOTHING, Harm
from devstack.chaos.wiring import Wiring
from devstack.environment import Change
from devstack.processes import PROCESSES, Process
from devstack.state import ROOT

PACKAGES = (
    "contracts",
    "inventory_service",
    "order_service",
    "payment_service",
    "projections",
    "relay",
    "shop",
    "src",
)
NAMES = frozenset(process.name for process in PROCESSES)


@dataclass(frozen=True)
class Line:
    """A text that stands once in a file, and what stands there in the build instead."""

    file: str
    """Relative to the root of the repository."""
    text: str
    instead: str

    def exchanged(self, source: str) -> str:
        """Raises LookupError when the text does not stand there exactly once: the code has changed."""
        if (found := source.count(self.text)) != 1:
            raise LookupError(f"{self.file} has this text {found} times, not once:\n{self.text}")
        return source.replace(self.text, self.instead)

    def as_diff(self) -> list[str]:
        """The lines that go and those that come."""
        return [
            *(f"-{line}" for line in self.text.splitlines()),
            *(f"+{line}" for line in self.instead.splitlines()),
        ]


@dataclass(frozen=True)
class Build:
    """What is broken, what shows it, and which verdict has to find it."""

    name: str
    breaks: str
    """A sentence."""
    lines: Sequence[Line]
    caught_by: str
    """The name of a verdict."""
    harm: Harm = NOTHING
    """What the unbroken code survives."""

    def make(self, directory: Path) -> Path:
        """Copy the source into a new directory, and exchange the lines. Raises LookupError; see `Line.exchanged`."""
        for package in PACKAGES:
            shutil.copytree(ROOT / package, directory / package)
        for line in self.lines:
            path = directory / line.file
            path.write_text(line.exchanged(path.read_text()))
        return directory

    def install(self, wiring: Wiring, directory: Path) -> None:
        """Have every process of the shop run this build, which is made in `directory`, when it starts next."""
        wiring.set("build", imported_from(self.make(directory)))


def imported_from(directory: Path) -> Change:
    """The processes of the shop import from this directory; migrations and the topology stay as they are."""

    def change(process: Process, environment: dict[str, str]) -> dict[str, str]:
        if process.name not in NAMES:
            return environment
        # gunicorn puts its working directory before all of these, unless it is one of them.
        return {**environment, "PYTHONPATH": f"{directory}:{directory / 'src'}:{ROOT}"}

    return change
