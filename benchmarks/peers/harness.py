"""The peers' harness: where it is, its installation in an environment of its own, and its runs with ours beside."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from devstack.state import IMPORT_PATH

NEEDED = ("run.sh", "common.py", "requirements.txt", "saga_naive.py")
OURS = {"OURS_SAGA": "ours_saga", "OURS_RELAY": "ours_relay", "OURS_APPEND": "ours_append"}
CASES = Path(__file__).with_name("cases.py")


class NoHarness(Exception):
    """The directory is not that of the harness."""


class Failed(Exception):
    """The harness ended with an error."""


class Harness(NamedTuple):
    """`work` holds its environments, its servers' data while they run, and its results."""

    directory: Path
    work: Path

    @classmethod
    def at(cls, directory: Path, work: Path) -> "Harness":
        """Raises NoHarness."""
        missing = [name for name in NEEDED if not (directory / name).is_file()]
        if missing:
            raise NoHarness(
                f"{directory.absolute()} is not the peers' harness: it has no {', '.join(missing)}. Name the "
                "harness's directory: make bench-peers PEERS=DIR, or python -m benchmarks.peers --peers DIR."
            )
        return cls(directory.resolve(), work.absolute())

    def environment(self) -> dict[str, str]:
        """What its run.sh needs to measure ours too."""
        ours = {name: command_of(module, self.directory) for name, module in OURS.items()}
        return {**os.environ, **ours, "PEERS_DIR": str(self.work), "PYTHONPATH": str(self.directory)}

    def install(self) -> None:
        """Its run.sh does it before it measures; with no repetition it measures nothing."""
        self.work.mkdir(parents=True, exist_ok=True)
        stamp = self.work / "venv" / ".requirements"
        if stamp.exists() and stamp.read_bytes() == (self.directory / "requirements.txt").read_bytes():
            return
        for _ in self._lines([str(self.directory / "run.sh"), "B"], {"PEERS_REPS": "0"}):
            pass

    def sections(self, names: list[str], reps: int) -> Iterator[dict[str, Any]]:
        """The measurements of its own sections, as they come."""
        yield from self._lines([str(self.directory / "run.sh"), *names], {"PEERS_REPS": str(reps)})

    def sagas(self, peers: list[str], cases: list[tuple[str, int, float, list[str]]], reps: int) -> Iterator[Any]:
        """Cases are name, orders, orders a second (0: a burst) and options for ours alone."""
        plan = json.dumps({"peers": peers, "cases": cases, "reps": reps})
        python = str(self.work / "venv" / "bin" / "python")
        yield from self._lines([python, str(CASES), str(self.directory), plan], {"PYTHONDONTWRITEBYTECODE": "1"})

    def _lines(self, command: list[str], more: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """Raises Failed."""
        with subprocess.Popen(
            command, env={**self.environment(), **more}, cwd=self.directory, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout
            try:
                for line in process.stdout:
                    if line.startswith("{"):
                        yield json.loads(line)
            except BaseException:
                process.terminate()
                raise
        if process.returncode:
            raise Failed(f"{command[0]} ended with exit code {process.returncode}; see {self.work / 'results'}.")


def command_of(module: str, harness: Path) -> str:
    """Runs one of ours from any directory; the harness's helpers are behind our packages on its path."""
    return f"/usr/bin/env PYTHONPATH={IMPORT_PATH}:{harness} {sys.executable} -P -m benchmarks.peers.{module}"
