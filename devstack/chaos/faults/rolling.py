"""Fault: everything is restarted under load, one after the other."""

import signal
import threading
import time
from random import Random

from devstack.chaos.fault import Fault
from devstack.chaos.faults.target import NAMES, POSTGRES, RABBITMQ, find, with_children
from devstack.chaos.faults.threads import write_threads
from devstack.chaos.stage import Stage
from devstack.children import Identity
from devstack.status import status_of

READY_SECONDS = 60
POLL = 0.2


class RollingRestart(Fault):
    name = "rolling-restart"
    does = "Every process, Postgres and RabbitMQ are restarted, each when the one before is ready."
    shortest, longest = 60, 90

    def __init__(self, stage: Stage, chance: Random) -> None:
        super().__init__(stage, chance)
        self.order = chance.sample((*NAMES, POSTGRES, RABBITMQ), len(NAMES) + 2)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self.restarted: list[str] = []
        self.stuck: list[str] = []

    def inject(self) -> str:
        self._thread.start()
        return f"Restarts {', '.join(self.order)}."

    def heal(self) -> str:
        """The process that is restarting becomes ready first. Raises RuntimeError when one did not."""
        if self._stop.is_set() or self._thread.ident is None:
            return ""
        self._stop.set()
        self._thread.join()
        if self.stuck:
            stuck = ", ".join(self.stuck)
            raise RuntimeError(f"{stuck}: not ready as a new process {READY_SECONDS} s after SIGTERM: see stuck-*.txt.")
        return f"{len(self.restarted)} of {len(self.order)} were restarted."

    def _run(self) -> None:
        for name in self.order:
            if self._stop.is_set():
                return
            old = find(self.stage, name)
            if old:
                # The fast shutdown: a smart one waits for every session.
                self.stage.signals.send(name, old, signal.SIGINT if name == POSTGRES else signal.SIGTERM)
                self._await(name, old)

    def _await(self, name: str, old: Identity) -> None:
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end:
            line = status_of(self.stage.stack.state, self.stage.scene.records, name)
            if line.ready and line.pid != old.pid:
                self.restarted.append(name)
                return
            time.sleep(POLL)
        self.stuck.append(name)
        there = find(self.stage, name)
        write_threads(with_children(there) if there else [], self.stage.directory / f"stuck-{name}.txt")
