"""Stage: the running stack that faults are injected into."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from devstack.breaking.scene import Scene
from devstack.chaos.history import History
from devstack.chaos.memory_samples import MemorySampler
from devstack.chaos.network.network import Network, network
from devstack.chaos.network.routes import routes
from devstack.chaos.sent_signals import SentSignals
from devstack.chaos.wiring import Wiring
from devstack.environment import REAL_CARDS
from devstack.processes import GROUPS, PROCESSES, Process
from devstack.running import Stack, running_stack
from devstack.state import State
from ordersaga.runtime.settings import url_variable

NEVER = (*map(url_variable, GROUPS), "AMQP_URL", "BROKER_METRICS_URL", *REAL_CARDS)
"""Variables of the caller that name servers which are not the stage's own, so that they must not be harmed."""


def settings_of(caller: Mapping[str, str]) -> dict[str, str]:
    """The environment of the caller without servers of the caller's own."""
    return {name: value for name, value in caller.items() if name not in NEVER}


@dataclass(frozen=True)
class Stage:
    """A stack of a chaos run's own: everything in it may be harmed."""

    stack: Stack
    scene: Scene
    directory: Path
    """For what the run keeps: history, timeline, report."""
    wiring: Wiring = field(default_factory=Wiring)
    """Of the running stack only where it was given to it, as `staged` does."""
    network: Network | None = None
    """The proxy between its processes and its servers, where `staged` has made one."""
    signals: SentSignals = field(default_factory=SentSignals)
    """What its faults have sent."""
    history: History | None = None
    """Of the run, where there is one: what a fault does as an operator belongs there."""
    sampler: MemorySampler | None = None
    """Of the run's memory, where there is one."""

    @property
    def recorded(self) -> History:
        """The history, for a fault that acts as an operator. Raises RuntimeError when there is none."""
        if self.history is None:
            raise RuntimeError("The stage has no history, and what an operator does must be in one.")
        return self.history


@contextmanager
def staged(
    directory: Path,
    console: Console,
    caller: Mapping[str, str],
    *,
    prepare: Callable[[State, Wiring], None] = lambda _state, _wiring: None,
    table: Sequence[Process] = PROCESSES,
    proxied: bool = True,
    fresh: bool = False,
) -> Iterator[Stage]:
    """A stack with data of its own below `directory`, ready, for as long as the block lasts.

    `caller` is the environment whose settings the processes get, but for servers of the caller's own; `prepare` runs
    before anything is started. A proxy stands before the servers if it is `proxied`; a `fresh` one deletes the data
    that it finds.

    Raises:
        Failed: something did not start; the text has the end of its log.
        CannotRunHere: the machine lacks something.
    """
    state, wiring = State(directory / "state").create(), Wiring()
    prepare(state, wiring)
    with network(state, table) if proxied else nullcontext() as proxy:
        if proxy:
            wiring.set("network", routes(proxy))
        settings = settings_of(caller)
        with running_stack(state, console, fresh=fresh, table=table, caller=settings, change=wiring) as stack:
            yield Stage(stack, Scene(state), directory, wiring, proxy)
