"""The faults that a schedule chooses from, by name."""

from devstack.chaos.fault import Fault
from devstack.chaos.faults import broker, network, postgres, processes, relays, rolling, servers

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
    network.CutConnections,
    network.ResetConnections,
    network.BlackHole,
    network.ForgetConnections,
    network.SlowNetwork,
    network.SplitFrames,
    network.BreakFrames,
    broker.SuspendQueue,
    broker.MemoryAlarm,
    broker.DiskAlarm,
    broker.CloseConnections,
    broker.LimitConnections,
    postgres.TerminateBackends,
    postgres.ExhaustConnections,
    postgres.FillLockTable,
    postgres.LockTable,
    postgres.LongTransaction,
    postgres.RewriteOutbox,
)
FAULTS: dict[str, type[Fault]] = {kind.name: kind for kind in KINDS}
