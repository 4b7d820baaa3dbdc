"""A running process of the shop, made from its line in the process table."""

import signal
import subprocess

from devstack import children
from devstack.death import Death
from devstack.environment import Environments
from devstack.managed import says_ready
from devstack.processes import Process
from devstack.records import Records
from devstack.state import ROOT, State

STOP_SECONDS = 10
"""For a process to finish its work in progress after SIGTERM."""


class ServiceProcess:
    """One Python process that answers on /readyz of its port."""

    def __init__(self, state: State, records: Records, environments: Environments, process: Process) -> None:
        self.name = process.name
        self.log = state.log(process.name)
        self._state = state
        self._records = records
        self._environments = environments
        self.process = process
        self._running: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        return self._state.port(self.name)

    @property
    def pid(self) -> int | None:
        return self._running.pid if self._running and self._running.poll() is None else None

    @property
    def death(self) -> Death | None:
        return Death.of(self.name, self._running)

    def launch(self) -> None:
        command = [*children.python(), *self._environments.arguments(self.process)]
        self._running = children.spawn(command, self._environments.of(self.process), self.log, ROOT)
        self._records.add(self.name, self._running.pid, self.port)

    def is_ready(self) -> bool:
        return says_ready(self.port)

    def ask_to_stop(self) -> None:
        if self._running and self._running.poll() is None:
            self._running.terminate()

    def stop(self) -> None:
        if self._running:
            children.end(self._running, (signal.SIGTERM, STOP_SECONDS))
            self._records.remove(self.name)
