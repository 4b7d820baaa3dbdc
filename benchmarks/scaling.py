"""`python -m benchmarks.scaling`: what sagas and requests cost with 1, 2 and 4 of each worker and orders API."""

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from itertools import count
from pathlib import Path

import psutil
from rich.console import Console

from benchmarks import crowd, spent, stack
from benchmarks.customers import sku
from devstack.demo.customers import token
from devstack.ports import LOOPBACK
from devstack.processes import Process
from devstack.running import Stack, running_stack
from devstack.state import State

REPLICAS = (1, 2, 4)
API = "orders-api"
SERVERS = ("postgres", "rabbitmq", "epmd")
READERS = 8
"""Clients that each ask for a product again and again."""


def table(number: int) -> list[Process]:
    """The stack with so many of each worker and of the orders API."""
    found: list[Process] = []
    for process in stack.table():
        more = number if process.name == API or process.name.endswith("-worker") else 1
        found += [replace(process, name=named(process.name, which)) for which in range(1, more + 1)]
    return found


def named(name: str, which: int) -> str:
    return name if which == 1 else f"{name}-{which}"


def kind_of(name: str) -> str:
    """Without the number at its end."""
    return "-".join(word for word in name.split("-") if not word.isdigit())


def by_kind(figures: Mapping[str, float]) -> dict[str, float]:
    """The sum of all replicas of each process."""
    found: dict[str, float] = {}
    for name, figure in figures.items():
        found[kind_of(name)] = found.get(kind_of(name), 0.0) + figure
    return found


@contextmanager
def running(number: int, directory: Path) -> Iterator[Stack]:
    caller = {**os.environ, "QUEUES_PER_GROUP": str(max(REPLICAS))}
    with running_stack(State(directory), Console(quiet=True), table=table(number), caller=caller) as found:
        stack.fill(found)
        yield found


def sessions(found: Stack) -> dict[str, tuple[int, int]]:
    """Open connections of each process, with Postgres and with RabbitMQ."""
    ports = [found.state.port(server) for server in ("postgres", "rabbitmq")]
    return {name: (remote.count(ports[0]), remote.count(ports[1])) for name, remote in remotes(found).items()}


def remotes(found: Stack) -> dict[str, list[int]]:
    """The ports that each process and its children are connected with."""
    opened: dict[str, list[int]] = {}
    for name, pid in stack.pids(found).items():
        if name not in SERVERS:
            family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
            connections = [each for process in family for each in process.net_connections("tcp")]
            opened[name] = [each.raddr.port for each in connections if each.status == psutil.CONN_ESTABLISHED]
    return opened


def requests_per_second(found: Stack, number: int, seconds: float) -> float:
    """Of clients that ask all orders APIs in turn for a product."""
    ports = [found.state.port(named(API, which)) for which in range(1, number + 1)]
    headers = {"Authorization": f"Bearer {token(found.state, 'customer', 'alice')}"}
    answered, end = count(), time.monotonic() + seconds

    def ask(port: int) -> None:
        connection = HTTPConnection(LOOPBACK, port)
        while time.monotonic() < end:
            connection.request("GET", f"/products/{sku(1)}", headers=headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{answer.status} for a product")
            next(answered)

    clients = [threading.Thread(target=ask, args=(ports[each % number],)) for each in range(READERS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return next(answered) / seconds


def line(cells: Sequence[object]) -> str:
    return " | ".join(f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in cells)


def measure(number: int, directory: Path, seconds: float) -> None:
    """Print the figures of one number of replicas."""
    with running(number, directory) as found:
        idle = {name: spent.memory_mb({name: pid}) for name, pid in stack.pids(found).items()}
        load, sagas = os.getloadavg()[0], crowd.of_waiting(found, seconds)
        print(
            line(["replicas", number, "load", load, "sagas/s", sagas.per_s, "CPU ms a saga", sum(sagas.cpu.values())])
        )
        for name, cost in sorted(by_kind(sagas.cpu).items()):
            print(line(["  CPU ms a saga", name, cost]))
        pids = stack.pids(found)
        for name, (postgres, rabbitmq) in sorted(sessions(found).items()):
            after = spent.memory_mb({name: pids[name]})
            print(line(["  sessions", name, postgres, rabbitmq, "MB", idle[name], after]))
        load, before = os.getloadavg()[0], spent.cpu(pids)
        rate = requests_per_second(found, number, seconds)
        costs = {name: 1000 * each / (rate * seconds) for name, each in by_kind(spent.since(before, pids)).items()}
        print(line(["replicas", number, "load", load, "requests/s", rate, "CPU ms", costs[API], costs["postgres"]]))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--replicas", type=int, nargs="*", default=REPLICAS)
    options = parser.parse_args()
    for number in options.replicas:
        with tempfile.TemporaryDirectory(prefix="scaling-") as directory:
            measure(number, Path(directory) / "state", options.seconds)


if __name__ == "__main__":
    main()
