"""Fault: two relays of one service, of which the first is frozen and comes back while the second publishes."""

import signal
import subprocess
from dataclasses import replace
from random import Random

from devstack import children
from devstack.breaking.frozen import Freeze
from devstack.chaos.fault import Fault
from devstack.chaos.faults.target import find
from devstack.chaos.stage import Stage
from devstack.managed import says_ready
from devstack.processes import PROCESSES, RELAY_ROLE
from devstack.state import ROOT

RELAYS = tuple(process for process in PROCESSES if RELAY_ROLE in process.databases.values())
STOP_SECONDS = 10


class TwoRelays(Fault):
    name = "two-relays"
    does = "A second relay starts beside one that freezes, takes over, and is told to stop when the first continues."
    shortest, longest = 6, 12
    """A relay that freezes loses its session after three seconds."""

    def __init__(self, stage: Stage, chance: Random) -> None:
        super().__init__(stage, chance)
        self.relay = chance.choice(RELAYS)
        self._second: subprocess.Popen[bytes] | None = None
        self._freeze = Freeze()

    def inject(self) -> str:
        """Call it in a thread that stays until `heal`: the kernel ends the second relay with it."""
        second = replace(self.relay, name=f"{self.relay.name}-second")
        environments, state = self.stage.stack.environments, self.stage.stack.state
        command = [*children.python(), *environments.arguments(second)]
        self._second = children.spawn(command, environments.of(second), state.log(second.name), ROOT)
        first = find(self.stage, self.relay.name)
        self._freeze.stop([first] if first else [])
        return f"{second.name} (pid {self._second.pid}) starts, and {self.relay.name} is frozen."

    def heal(self) -> str:
        if self._second is None:
            return ""
        was_ready = says_ready(self.stage.stack.state.port(f"{self.relay.name}-second"))
        self._freeze.thaw()
        children.end(self._second, (signal.SIGTERM, STOP_SECONDS))
        self._second = None
        took_over = "had taken over" if was_ready else "was not ready"
        return f"The second relay, which {took_over}, is stopped, and {self.relay.name} continues."
