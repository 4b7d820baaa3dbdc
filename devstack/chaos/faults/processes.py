"""Faults of the shop's processes: killed, frozen, told to stop; a service whose host vanishes."""

import signal
from random import Random

from devstack.breaking.frozen import Freeze
from devstack.chaos.fault import Fault
from devstack.chaos.faults.target import NAMES, find, send
from devstack.chaos.network.rule import PASS, Rule
from devstack.chaos.stage import Stage

HOSTS = {
    host: tuple(name for name in NAMES if name.startswith(f"{host}-"))
    for host in ("orders", "payments", "inventory", "projections")
}


class EndProcess(Fault):
    """A process gets a signal that ends it, and is not started again before the fault heals."""

    shortest, longest = 0, 8
    number: signal.Signals

    def __init__(self, stage: Stage, chance: Random) -> None:
        super().__init__(stage, chance)
        self.process = chance.choice(NAMES)

    def inject(self) -> str:
        self.stage.stack.supervisor.hold(self.process)
        return send(self.stage, self.process, self.number)

    def heal(self) -> str:
        self.stage.stack.supervisor.release(self.process)
        return f"{self.process} may start again."


class KillProcess(EndProcess):
    name = "kill-process"
    does = "A process of the shop is killed (SIGKILL), and stays away."
    number = signal.SIGKILL


class TerminateProcess(EndProcess):
    name = "terminate-process"
    does = "A process of the shop is told to stop (SIGTERM), and stays away."
    number = signal.SIGTERM


class StopProcess(Fault):
    name = "stop-process"
    does = "A process of the shop is frozen (SIGSTOP), and later continues where it was (SIGCONT)."
    shortest, longest = 1, 12

    def __init__(self, stage: Stage, chance: Random) -> None:
        super().__init__(stage, chance)
        self.process = chance.choice(NAMES)
        self._freeze = Freeze()

    def inject(self) -> str:
        target = find(self.stage, self.process)
        if target is None:
            return f"{self.process} did not run."
        self._freeze.stop([target])
        return f"{self.process} (pid {target.pid}) is frozen."

    def heal(self) -> str:
        return f"{self.process} continues." if self._freeze.thaw() else ""


class LoseHost(Fault):
    name = "lose-host"
    does = "All processes of one service vanish at once, as with their machine: no server sees a connection end."
    shortest, longest = 3, 12

    def __init__(self, stage: Stage, chance: Random) -> None:
        super().__init__(stage, chance)
        self.names = HOSTS[chance.choice(tuple(HOSTS))]
        self._lost = False

    def inject(self) -> str:
        """The network holds back that their connections end."""
        self._lost = True
        for name in self.names:
            self.stage.stack.supervisor.hold(name)
        self._impose(Rule("hold"))
        there = {name: each for name in self.names if (each := find(self.stage, name))}
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for name, each in there.items():
                self.stage.signals.send(name, each, number)
        return f"The host of {', '.join(self.names)} is gone."

    def heal(self) -> str:
        if not self._lost:
            return ""
        self._lost = False
        self._impose(PASS)
        for name in self.names:
            self.stage.stack.supervisor.release(name)
        return f"{', '.join(self.names)} may start again."

    def _impose(self, rule: Rule) -> None:
        if network := self.stage.network:
            network.impose(network.links(*self.names), rule)
