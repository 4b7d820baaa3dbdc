"""Faults of the servers' processes: Postgres and RabbitMQ killed, frozen, told to stop; one backend killed."""

import signal
from random import Random
from typing import ClassVar

import psutil

from devstack.breaking.frozen import Freeze
from devstack.chaos.fault import Fault
from devstack.chaos.faults.target import POSTGRES, RABBITMQ, find, send, with_children
from devstack.chaos.stage import Stage
from devstack.ports import LOOPBACK


class EndServer(Fault):
    """A server gets a signal that ends it, and is not started again before the fault heals."""

    shortest, longest = 0, 8
    number: ClassVar[signal.Signals]

    def inject(self) -> str:
        self.stage.stack.supervisor.hold(self.server)
        return send(self.stage, self.server, self.number)

    def heal(self) -> str:
        self.stage.stack.supervisor.release(self.server)
        return f"{self.server} may start again."


class KillPostgres(EndServer):
    name, server = "kill-postgres", POSTGRES
    does = "The postmaster is killed (SIGKILL); its backends notice and end; Postgres stays away."
    number = signal.SIGKILL


class RestartPostgres(EndServer):
    name, server = "restart-postgres", POSTGRES
    does = "Postgres shuts down at once (SIGINT), ends every session, and stays away."
    number = signal.SIGINT


class TerminatePostgres(Fault):
    name, server = "terminate-postgres", POSTGRES
    does = "Postgres is told to stop (SIGTERM): it refuses new sessions and waits for the others, which go on."
    shortest, longest = 2, 8

    def inject(self) -> str:
        return send(self.stage, POSTGRES, signal.SIGTERM)

    def heal(self) -> str:
        """The same postmaster would wait for ever."""
        return f"It need not wait any longer: {send(self.stage, POSTGRES, signal.SIGINT)}"


class KillRabbitmq(EndServer):
    name, server = "kill-rabbitmq", RABBITMQ
    does = "RabbitMQ is killed (SIGKILL), and stays away."
    number = signal.SIGKILL


class TerminateRabbitmq(EndServer):
    name, server = "terminate-rabbitmq", RABBITMQ
    does = "RabbitMQ is told to stop (SIGTERM): it closes every connection, and stays away."
    number = signal.SIGTERM


class StopServer(Fault):
    """A server is frozen with all its processes, and later continues where it was."""

    shortest, longest = 1, 12

    def __init__(self, stage: Stage, chance: Random) -> None:
        super().__init__(stage, chance)
        self._freeze = Freeze()

    def inject(self) -> str:
        target = find(self.stage, self.server)
        if target is None:
            return f"{self.server} did not run."
        self._freeze.stop(with_children(target))
        return f"{self.server} (pid {target.pid}) is frozen."

    def heal(self) -> str:
        return f"{self.server} continues." if self._freeze.thaw() else ""


class StopPostgres(StopServer):
    name, server = "stop-postgres", POSTGRES
    does = "Postgres is frozen with all its sessions (SIGSTOP), and later continues (SIGCONT)."


class StopRabbitmq(StopServer):
    name, server = "stop-rabbitmq", RABBITMQ
    does = "RabbitMQ is frozen (SIGSTOP), and later continues (SIGCONT)."


class KillBackend(Fault):
    name, server = "kill-backend", POSTGRES
    does = "One session's process of Postgres is killed (SIGKILL): Postgres ends all others and recovers."
    shortest, longest = 0, 2

    def __init__(self, stage: Stage, chance: Random) -> None:
        super().__init__(stage, chance)
        self._which = chance.random()

    def inject(self) -> str:
        postmaster = find(self.stage, POSTGRES)
        sessions = [one for one in with_children(postmaster) if is_session(one.pid)] if postmaster else []
        if not sessions:
            return "Postgres had no session."
        killed = sessions[int(self._which * len(sessions))]
        self.stage.signals.send(POSTGRES, killed, signal.SIGKILL)
        return f"Session {killed.pid} of {len(sessions)} is killed."


def is_session(pid: int) -> bool:
    """Whether a process of Postgres serves a client."""
    try:
        title = psutil.Process(pid).cmdline()
    except psutil.NoSuchProcess:
        return False
    return LOOPBACK in " ".join(title)
