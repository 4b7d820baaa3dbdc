"""`python -m benchmarks.saga`: whole sagas through the whole stack, and the CPU that each process spends on one."""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from uuid import UUID, uuid4

import psutil
import psycopg
from rich.console import Console

from benchmarks.customers import SKUS, Customers, sku
from benchmarks.latency import quantile
from benchmarks.monolith import Monolith, monolith
from benchmarks.place import Place
from benchmarks.rows import Row, compare
from devstack.demo.customers import token
from devstack.processes import PROCESSES, Process
from devstack.records import SUPERVISOR, Records
from devstack.running import Stack, running_stack
from devstack.servers.postgres import OWNER
from devstack.state import State
from inventory_service.announcements import announcements as inventory_announcements
from inventory_service.commands import receive_stock
from order_service.announcements import announcements as order_announcements
from order_service.commands import put_product
from ordersaga.envelope.message import Cause
from ordersaga.store.transaction import Transaction, decide

UNDER_WAY = 256
"""Sagas that are under way all the time while the sustained rate is measured."""
LOOK_EVERY = 0.02
WARM_SECONDS = 2.0
WAIT_SECONDS = 10
ROUNDS = 2
ENDED = "select originator_id from stored_events where originator_id = any(%s) and topic = 'order.confirmed'"


def table() -> Sequence[Process]:
    """As `./ordersaga up` runs them, but for the card processor, which is in the payment worker."""
    inside = {"PAYMENT_GATEWAY": "in_process"}
    return [
        replace(process, settings={**process.settings, **inside}) if process.name == "payments-worker" else process
        for process in PROCESSES
        if not process.outside
    ]


@contextmanager
def shop(directory: Path) -> Iterator[Stack]:
    """A stack with plenty of every product."""
    with running_stack(State(directory), Console(quiet=True), table=table()) as stack:
        fill(stack)
        yield stack


def fill(stack: Stack) -> None:
    def price(transaction: Transaction) -> None:
        for number in range(SKUS):
            put_product(transaction, sku(number), f"Product {number}", 990, "EUR")

    def supply(transaction: Transaction) -> None:
        for number in range(SKUS):
            receive_stock(transaction, sku(number), 1_000_000)

    urls = stack.environments.owner_urls()
    each = (("order_service", order_announcements, price), ("inventory_service", inventory_announcements, supply))
    for service, announcements, work in each:
        with psycopg.connect(urls[service], autocommit=True) as connection:
            decide(connection, announcements, Cause(uuid4(), None, "keeper"), work)


def customers(stack: Stack, wait_seconds: int = 0) -> Customers:
    return Customers(stack.state.port("orders-api"), token(stack.state, "customer", "alice"), wait_seconds)


class Crowd:
    """Keeps so many orders under way: the next is placed when an earlier one has ended."""

    def __init__(self, customers: Customers, ended_among: Callable[[list[UUID]], set[UUID]]) -> None:
        self.customers = customers
        self._ended_among = ended_among
        self._under_way: set[UUID] = set()
        self._ended = 0
        self._next_look = 0.0

    def run(self, seconds: float, under_way: int = UNDER_WAY) -> int:
        """How many have ended in that time."""
        before, end = self._ended, time.perf_counter() + seconds
        while time.perf_counter() < end:
            while self.customers.idle and self.customers.busy + len(self._under_way) < under_way:
                self.customers.place()
            for answer in self.customers.answers(min(end, self._next_look) - time.perf_counter()):
                if answer.ended:
                    self._ended += 1
                else:
                    self._under_way.add(answer.order_id)
            self._look()
        return self._ended - before

    def _look(self) -> None:
        if time.perf_counter() > self._next_look:
            ended = self._ended_among(list(self._under_way))
            self._under_way -= ended
            self._ended += len(ended)
            self._next_look = time.perf_counter() + LOOK_EVERY

    def go_home(self) -> None:
        """Until the last order has ended."""
        while self.customers.busy or self._under_way:
            self.run(LOOK_EVERY, 0)


class Sustained(NamedTuple):
    """Sagas a second, and milliseconds of CPU per saga by process."""

    per_s: float
    cpu: dict[str, float]


def sustained(crowd: Crowd, pids: dict[str, int], seconds: float) -> Sustained:
    crowd.run(WARM_SECONDS)
    before, began = cpu(pids), time.perf_counter()
    ended = crowd.run(seconds)
    passed, spent = time.perf_counter() - began, cpu(pids)
    crowd.go_home()
    return Sustained(ended / passed, {name: 1000 * (spent[name] - before[name]) / ended for name in pids})


def of_stack(stack: Stack, seconds: float) -> Sustained:
    pids = {record.name: record.pid for record in Records(stack.state).all() if record.name != SUPERVISOR}
    with (
        psycopg.connect(stack.environments.owner_urls()["order_service"], autocommit=True) as store,
        closing(customers(stack)) as few,
    ):
        crowd = Crowd(few, lambda ids: {id_ for (id_,) in store.execute(ENDED, (ids,), prepare=True)})
        return sustained(crowd, pids, seconds)


def of_monolith(stack: Stack, server: Monolith, seconds: float) -> Sustained:
    postgres = Records(stack.state).find("postgres")
    assert postgres
    with closing(Customers(server.port, "")) as few:
        return sustained(Crowd(few, lambda _: set()), {"monolith": server.pid, "postgres": postgres.pid}, seconds)


def cpu(pids: dict[str, int]) -> dict[str, float]:
    """CPU seconds so far of each process and its children, those that have ended included."""
    spent = {}
    for name, pid in pids.items():
        process = psutil.Process(pid)
        own = process.cpu_times()
        children = [child.cpu_times() for child in process.children(recursive=True)]
        spent[name] = (
            own.children_user + own.children_system + sum(each.user + each.system for each in (own, *children))
        )
    return spent


class Figures(NamedTuple):
    """Of the stack or of the monolith, in one round; times in milliseconds."""

    sustained: Sustained
    at_20_per_s: list[float]
    at_50_per_s: list[float]


def measure_once(stack: Stack, server: Monolith, seconds: float) -> tuple[Figures, Figures]:
    """The stack and the monolith, turn by turn."""
    together = of_stack(stack, seconds), of_monolith(stack, server, seconds)
    few = [steadily(rate, seconds, stack, server) for rate in (20, 50)]
    ours, theirs = (Figures(each, *times) for each, times in zip(together, zip(*few, strict=True), strict=True))
    return ours, theirs


def steadily(rate: float, seconds: float, stack: Stack, server: Monolith) -> tuple[list[float], list[float]]:
    with closing(customers(stack, WAIT_SECONDS)) as waiting:
        ours = waiting.steadily(rate, int(rate * seconds))
    with closing(Customers(server.port, "")) as waiting:
        return ours, waiting.steadily(rate, int(rate * seconds))


def rows(rounds: list[tuple[Figures, Figures]]) -> list[Row]:
    ours, theirs = zip(*rounds, strict=True)
    return [
        compare("sagas_per_s", "sagas/s", *([each.sustained.per_s for each in of] for of in (ours, theirs))),
        compare("saga_cpu_ms", "ms", *([sum(each.sustained.cpu.values()) for each in of] for of in (ours, theirs))),
        compare(
            "saga_at_20_per_s_p50_ms", "ms", *([quantile(each.at_20_per_s, 50) for each in of] for of in (ours, theirs))
        ),
        compare(
            "saga_at_50_per_s_p99_ms", "ms", *([quantile(each.at_50_per_s, 99) for each in of] for of in (ours, theirs))
        ),
    ]


def measure(place: Place) -> list[Row]:
    if place.size.saga_seconds is None:
        return []
    return rows(run(ROUNDS, place.size.saga_seconds))


def run(number: int, seconds: float) -> list[tuple[Figures, Figures]]:
    with tempfile.TemporaryDirectory(prefix="saga-") as directory, shop(Path(directory)) as stack:
        owner = stack.environments.database_url("monolith", OWNER)
        with monolith(stack.environments.owner_urls()["order_service"], owner, "monolith") as server:
            return [measure_once(stack, server, seconds) for _ in range(number)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="of each part of a round")
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    rounds = run(options.rounds, options.seconds)
    for who in zip(*rounds, strict=True):
        for name in who[0].sustained.cpu:
            milliseconds = statistics.median(figures.sustained.cpu[name] for figures in who)
            print(f"{milliseconds:8.3f} ms of CPU per saga  {name}")
    for row in rows(rounds):
        print(row)
    return 0


if __name__ == "__main__":
    sys.exit(main())
