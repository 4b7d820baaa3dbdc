"""Targets of faults: processes of a stage by their names, and processes that are frozen together."""

import os
import signal
import subprocess
from collections.abc import Iterable, Sequence

import psutil

from devstack.chaos.stage import Stage
from devstack.children import Identity
from devstack.processes import PROCESSES

NAMES = tuple(process.name for process in PROCESSES)
POSTGRES, RABBITMQ = "postgres", "rabbitmq"
LONGEST_FREEZE_SECONDS = 120
NOTHING = subprocess.DEVNULL


def find(stage: Stage, name: str) -> Identity | None:
    """A process or server of the stage; None while it does not run."""
    record = stage.scene.records.find(name)
    return record.identity if record and record.identity.is_running() else None


def send(stage: Stage, name: str, number: signal.Signals) -> str:
    """Signal a process. Returns what was done, as a sentence."""
    target = find(stage, name)
    if target is None:
        return f"{name} did not run."
    target.signal(number)
    # A frozen process would receive nothing but SIGKILL before it continues.
    target.signal(signal.SIGCONT)
    return f"{name} (pid {target.pid}) got {number.name}."


def with_children(identity: Identity) -> list[Identity]:
    """The process and all that it has started, itself first."""
    found = [identity]
    try:
        children = psutil.Process(identity.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return found
    for child in children:
        try:
            found.append(Identity.of(child.pid))
        except ProcessLookupError:
            continue
    return found


class Freeze:
    """Processes that are stopped together (SIGSTOP) until `thaw`."""

    def __init__(self) -> None:
        self._frozen: Sequence[Identity] = ()
        self._guard: subprocess.Popen[bytes] | None = None

    def stop(self, identities: Iterable[Identity]) -> None:
        """A guard continues them after LONGEST_FREEZE_SECONDS, for a caller that is killed with SIGKILL."""
        self._frozen = list(identities)
        pids = " ".join(str(each.pid) for each in self._frozen)
        wait = f"sleep {LONGEST_FREEZE_SECONDS}; kill -CONT {pids}"
        self._guard = subprocess.Popen(
            ["sh", "-c", wait], stdin=NOTHING, stdout=NOTHING, stderr=NOTHING, start_new_session=True
        )
        for identity in self._frozen:
            identity.signal(signal.SIGSTOP)

    def thaw(self, number: signal.Signals = signal.SIGCONT) -> bool:
        """Continue those that still run, or end them with SIGKILL; whether there was anything to do."""
        for identity in self._frozen:
            identity.signal(number)
        if self._guard:
            os.killpg(self._guard.pid, signal.SIGKILL)
            self._guard.wait()
        was_frozen, self._frozen, self._guard = bool(self._frozen), (), None
        return was_frozen
