"""Wiring: what the processes of a stage are started with beyond the process table."""

import threading

from devstack.environment import Change
from devstack.processes import Process


class Wiring:
    """Changes of environments by name, such as the address of a proxy, a faked clock, a failpoint.

    They are set and removed from any thread, and take effect when a process is started next.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changes: dict[str, Change] = {}

    def set(self, name: str, change: Change) -> None:
        """Add a change, or replace the one of this name."""
        with self._lock:
            self._changes = {**self._changes, name: change}

    def remove(self, name: str) -> None:
        with self._lock:
            self._changes = {each: change for each, change in self._changes.items() if each != name}

    def __call__(self, process: Process, environment: dict[str, str]) -> dict[str, str]:
        for change in self._changes.values():
            environment = change(process, environment)
        return environment
