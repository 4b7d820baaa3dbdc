"""The faults that a schedule chooses from, by name."""

from devstack.chaos.fault import Fault
from devstack.chaos.faults import processes, relays, rolling, servers

KINDS: tuple[type[Fault], ...] = (
    processes.KillProcess,
    processes.TerminateProcess,
    processes.StopProcess,
    processes.LoseHost,
    servers.KillPostgres,
    servers.RestartPostgres,
    servers.TerminatePostgres,
    servers.StopPostgres,
    servers.KillBackend,
    servers.KillRabbitmq,
    servers.TerminateRabbitmq,
    servers.StopRabbitmq,
    relays.TwoRelays,
    rolling.RollingRestart,
)
FAULTS: dict[str, type[Fault]] = {kind.name: kind for kind in KINDS}
