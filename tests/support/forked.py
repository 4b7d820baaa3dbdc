"""A Python process, child of this one, that need not import the library again: see process_server.py."""

import atexit
import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

from devstack.state import ROOT

SET_CHILD_SUBREAPER = 36
"""Of prctl(2)."""


def be_subreaper(wanted: bool) -> None:
    """Whether a process that loses its parent, below this one, becomes the child of this one."""
    if ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, int(wanted), 0, 0, 0):
        raise OSError("prctl refuses PR_SET_CHILD_SUBREAPER")


@contextmanager
def subreaper() -> Iterator[None]:
    """Only for as long as the block lasts: who is orphaned in a test goes to init, as anywhere."""
    be_subreaper(True)
    try:
        yield
    finally:
        be_subreaper(False)


class ProcessServer:
    """Starts one process at a time; ends with this process, because its input ends then."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.support.process_server"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._free = Lock()
        atexit.register(self._process.communicate)

    def start(self, task: Mapping[str, Any]) -> int:
        """The process id."""
        assert self._process.stdin
        assert self._process.stdout
        with self._free, subreaper():
            self._process.stdin.write(json.dumps(task) + "\n")
            self._process.stdin.flush()
            return int(self._process.stdout.readline())


@cache
def server() -> ProcessServer:
    return ProcessServer()


class Forked(subprocess.Popen[bytes]):
    """What `python -m` or `python -c` would start; all that it writes goes into the file of this descriptor.

    `death_signal` is the one that it gets when this process ends.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], output: int, death_signal: int = 0
    ) -> None:
        log = f"/proc/{os.getpid()}/fd/{output}"
        self._task = {"command": [*command], "environment": {**environment}, "log": log, "death_signal": death_signal}
        super().__init__([sys.executable, *command])

    def _execute_child(self, *_: object) -> None:
        """Instead of fork and exec; all else of Popen needs no more than the pid of a child."""
        sys.audit("subprocess.Popen", sys.executable, self._task["command"], None, self._task["environment"])
        self.pid = server().start(self._task)
        self._child_created = True
