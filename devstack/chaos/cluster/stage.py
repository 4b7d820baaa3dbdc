"""The stage of a failover: a whole stack on a pair of Postgres servers that are not its own to restart."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from devstack.breaking.scene import Scene
from devstack.chaos.cluster.pair import Mode, Pair, running_node, running_pair
from devstack.chaos.stage import Stage, settings_of
from devstack.chaos.wiring import Wiring
from devstack.processes import GROUPS, Process
from devstack.running import running_stack
from devstack.servers.postgres import OWNER
from devstack.state import State
from ordersaga.runtime.settings import url_variable


@contextmanager
def stage_on_pair(
    directory: Path, console: Console, caller: Mapping[str, str], mode: Mode, on_pair: Collection[str] = GROUPS
) -> Iterator[tuple[Stage, Pair]]:
    """A stack that connects, each process with its own role, to whichever server of a pair accepts writes.

    `on_pair` names the databases on it; the others are on a third server, which nobody harms.

    Raises:
        Failed: something did not start; the text has the end of its log.
        CannotRunHere: the machine lacks something.
    """
    state, wiring = State(directory / "state").create(), Wiring()
    servers = State(directory / "servers").create()
    with running_pair(servers, mode) as pair, running_node(servers) as other:

        def url(database: str, role: str) -> str:
            return pair.url(database, role) if database in on_pair else other.url(role, database)

        def with_own_role(process: Process, environment: dict[str, str]) -> dict[str, str]:
            urls = {url_variable(database): url(database, role) for database, role in process.databases.items()}
            return environment | urls

        wiring.set("pair", with_own_role)
        settings = settings_of(caller) | {url_variable(database): url(database, OWNER) for database in GROUPS}
        with running_stack(state, console, caller=settings, change=wiring) as stack:
            yield Stage(stack, Scene(state), directory, wiring), pair
