"""Targets of faults: processes of a stage by their names."""

import signal

import psutil

from devstack.chaos.stage import Stage
from devstack.children import Identity
from devstack.processes import PROCESSES

NAMES = tuple(process.name for process in PROCESSES)
WORKERS = tuple(name for name in NAMES if name.endswith("-worker"))
POSTGRES, RABBITMQ = "postgres", "rabbitmq"


def find(stage: Stage, name: str) -> Identity | None:
    """A process or server of the stage; None while it does not run."""
    record = stage.scene.records.find(name)
    return record.identity if record and record.identity.is_running() else None


def send(stage: Stage, name: str, number: signal.Signals) -> str:
    """Signal a process. Returns what was done, as a sentence."""
    target = find(stage, name)
    if target is None:
        return f"{name} did not run."
    stage.signals.send(name, target, number)
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
