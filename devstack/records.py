"""stack.json: the running processes of a stack, so that other commands can see and end them."""

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import psutil

from devstack.children import Identity
from devstack.external_servers import ExternalServers
from devstack.state import State

FILE = "stack.json"
SUPERVISOR = "supervisor"
LEFTOVER_SECONDS = 5


@dataclass(frozen=True)
class Record:
    """One running process; `since` is Unix time in seconds."""

    name: str
    pid: int
    start_time: int
    port: int | None
    since: float

    @property
    def identity(self) -> Identity:
        return Identity(self.pid, self.start_time)


class Records:
    """Only the holder of the state directory's lock writes the file, and always as a whole."""

    def __init__(self, state: State) -> None:
        self._state = state

    def begin(self, external: ExternalServers, expected: Sequence[str]) -> None:
        """Note who supervises, which external servers it uses, and which processes there will be."""
        self._state.write(FILE, {"external": asdict(external), "expected": list(expected), "processes": []})
        self.add(SUPERVISOR, os.getpid())

    def end(self) -> None:
        """Note that nothing runs any more."""
        self._state.write(FILE, {})

    def supervisor(self) -> Record | None:
        """None when no stack runs."""
        record = self.find(SUPERVISOR)
        return record if record and record.identity.is_running() else None

    def external_servers(self) -> ExternalServers:
        return ExternalServers(**self._state.read(FILE).get("external", {}))

    def expected(self) -> list[str]:
        """Names of the processes the stack is to consist of."""
        return list(self._state.read(FILE).get("expected", []))

    def all(self) -> list[Record]:
        """In the order in which they were started."""
        return [Record(**record) for record in self._state.read(FILE).get("processes", [])]

    def find(self, name: str) -> Record | None:
        return next((record for record in self.all() if record.name == name), None)

    def add(self, name: str, pid: int, port: int | None = None) -> None:
        try:
            start_time = Identity.of(pid).start_time
        except ProcessLookupError:
            return
        new = Record(name, pid, start_time, port, time.time())
        self._write([*(record for record in self.all() if record.name != name), new])

    def remove(self, name: str) -> None:
        self._write([record for record in self.all() if record.name != name])

    def _write(self, records: list[Record]) -> None:
        self._state.write(FILE, {**self._state.read(FILE), "processes": [asdict(record) for record in records]})

    def end_leftovers(self) -> list[str]:
        """End the processes that a killed stack has left; returns their names."""
        running = [record for record in self.all() if record.name != SUPERVISOR and record.identity.is_running()]
        for record in reversed(running):
            end_tree(record.identity)
        self._write([])
        return [record.name for record in running]


def end_tree(identity: Identity) -> None:
    """End a process, then its children."""
    try:
        children = psutil.Process(identity.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return
    identity.signal(signal.SIGTERM)
    if not identity.wait(LEFTOVER_SECONDS):
        identity.signal(signal.SIGKILL)
        identity.wait(LEFTOVER_SECONDS)
    _, alive = psutil.wait_procs(children, timeout=1)
    for child in alive:
        child.kill()
    psutil.wait_procs(alive, timeout=LEFTOVER_SECONDS)
