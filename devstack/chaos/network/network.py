"""Network: the proxy between the processes and the servers of a stack, as the run sees it."""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from threading import Lock
from typing import IO, Any, cast

import psutil

from devstack import children
from devstack.chaos.network.listener import Traffic
from devstack.chaos.network.rule import PASS, Rule
from devstack.chaos.network.serve import SEPARATOR
from devstack.processes import CARDS, PROCESSES, Process
from devstack.state import IMPORT_PATH, State

POSTGRES, RABBITMQ, SIMULATOR = SERVERS = ("postgres", "rabbitmq", "simulator")
STOP_SECONDS = 5


@dataclass(frozen=True)
class Link:
    """A process and a server that it connects to."""

    process: str
    server: str

    def __str__(self) -> str:
        return f"{self.process}{SEPARATOR}{self.server}"


def links_of(table: Sequence[Process]) -> list[Link]:
    return [Link(process.name, server) for process in table for server in servers_of(process)]


def servers_of(process: Process) -> list[str]:
    uses = {
        POSTGRES: process.databases,
        RABBITMQ: process.amqp_user,
        SIMULATOR: CARDS.items() <= process.settings.items(),
    }
    return [server for server, used in uses.items() if used]


class Network:
    """Any thread may call it."""

    def __init__(self, proxy: subprocess.Popen[bytes], ports: Mapping[Link, int]) -> None:
        self._proxy = proxy
        self._lock = Lock()
        self.ports = ports

    def links(self, *processes: str, server: str = "") -> list[Link]:
        """Those of these processes, or of all, to this server, or to all."""
        return [
            link
            for link in self.ports
            if (not processes or link.process in processes) and (not server or link.server == server)
        ]

    def impose(self, links: Sequence[Link], rule: Rule) -> int:
        """From now on the rule holds for these links. Returns how many connections were open on them."""
        return int(self._ask("impose", [str(link) for link in links], asdict(rule)))

    def heal(self, links: Sequence[Link] = ()) -> None:
        """Forward everything again, on all links unless some are named."""
        self.impose(links or list(self.ports), PASS)

    def traffic(self) -> dict[Link, Traffic]:
        found = self._ask("traffic")
        return {link: Traffic(**found[str(link)]) for link in self.ports}

    def cpu_seconds(self) -> float:
        """That the proxy has taken."""
        times = psutil.Process(self._proxy.pid).cpu_times()
        return float(times.user + times.system)

    def _ask(self, *request: Any) -> Any:
        with self._lock:
            requests = cast(IO[bytes], self._proxy.stdin)
            requests.write(json.dumps(request).encode() + b"\n")
            requests.flush()
            return answer_of(self._proxy)


def answer_of(proxy: subprocess.Popen[bytes]) -> Any:
    line = cast(IO[bytes], proxy.stdout).readline()
    if not line:
        raise RuntimeError(f"The proxy has ended with {proxy.wait()}.")
    return json.loads(line)


@contextmanager
def network(state: State, table: Sequence[Process] = PROCESSES, links: Sequence[Link] = ()) -> Iterator[Network]:
    """A proxy with a port for each link of the table, and the links given, for as long as the block lasts.

    `routes` leads the processes of a stack through it.
    """
    names = {str(link): link for link in (*links_of(table), *links)}
    module = ("-m", "devstack.chaos.network.serve")
    command = [*children.python(), *module, str(state.directory / "ports.json"), *names]
    environment = {**children.plain_environment(), "PYTHONPATH": IMPORT_PATH}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, start_new_session=True) as proxy:
        try:
            yield Network(proxy, {names[name]: port for name, port in answer_of(proxy).items()})
        finally:
            cast(IO[bytes], proxy.stdin).close()
            end(proxy)


def end(proxy: subprocess.Popen[bytes]) -> None:
    """It ends with its standard input, else by force."""
    try:
        proxy.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        proxy.kill()
