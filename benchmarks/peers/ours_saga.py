"""Peer `ours` of the harness's sagas: the whole stack, on the harness's Postgres and RabbitMQ."""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import pika
import psycopg

from benchmarks import spent, stack
from benchmarks.customers import CUSTOMERS, Answer, Customers, Placed
from benchmarks.load import MOST, OpenLoad
from benchmarks.peers import given
from benchmarks.stack import DECLINED_EVERY, STOCK
from benchmarks.under_load import WAIT_SECONDS
from devstack.processes import GROUPS
from devstack.running import Stack
from inventory_service.stock import StockItem, stock_item_id
from ordersaga.broker import topology
from ordersaga.runtime.settings import url_variable
from ordersaga.store import history

SKUS = 100
LOOK_EVERY = 0.1
STATES = """
select originator_id, topic from stored_events
where originator_id = any(%s) and topic in ('order.confirmed', 'order.cancelled')
"""


class Order(NamedTuple):
    """An accepted order; `since` is the Unix time from which its latency counts."""

    id: UUID
    since: float
    declined: bool


@contextmanager
def whole_stack() -> Iterator[Stack]:
    """Four fresh databases beside the one that the harness gives, which are gone afterwards as the queues are."""
    caller = {**os.environ, "AMQP_URL": given.amqp_url()}
    caller |= {url_variable(name): given.fresh_database(name) for name in GROUPS}
    try:
        with (
            tempfile.TemporaryDirectory(prefix="ours-") as directory,
            stack.shop(Path(directory), caller, SKUS) as running,
        ):
            yield running
    finally:
        for name in GROUPS:
            given.drop_database(name)
        delete_queues()


def delete_queues() -> None:
    connection = pika.BlockingConnection(pika.URLParameters(given.amqp_url()))
    for group in GROUPS:
        for queue in (*topology.queues_of(connection, group), topology.dead_letters_of(group)):
            connection.channel().queue_delete(queue)
    connection.close()


class Burst:
    """Submits orders as fast as they are accepted; one refused for now comes again after `Retry-After`."""

    def __init__(self, customers: Customers) -> None:
        self._customers = customers
        self._later: list[tuple[float, Placed]] = []
        self.accepted: dict[UUID, bool] = {}
        """Order -> whether its card is declined."""
        self.refused = 0

    def submit(self, number: int) -> None:
        left = number
        while len(self.accepted) < number:
            while self._customers.free and (again := self._due()):
                self._customers.send(again)
            while left and self._customers.free:
                self._customers.place()
                left -= 1
            for answer in self._customers.answers(LOOK_EVERY):
                self._take(answer)

    def _due(self) -> Placed | None:
        ready = bool(self._later) and self._later[0][0] <= time.perf_counter()
        return self._later.pop(0)[1] if ready else None

    def _take(self, answer: Answer) -> None:
        if answer.order_id:
            self.accepted[answer.order_id] = answer.placed.declined
        else:
            self.refused += 1
            self._later.append((answer.at + float(answer.retry_after or 1), answer.placed))


def burst(running: Stack, number: int) -> tuple[list[Order], dict[str, Any]]:
    """The accepted orders, and what there is to say of the submission."""
    start = time.time()
    with closing(stack.customers(running, 0, DECLINED_EVERY, CUSTOMERS, SKUS)) as few:
        submitting = Burst(few)
        submitting.submit(number)
    said = {"submit_s": round(time.time() - start, 2), "offered_again": submitting.refused}
    return [Order(id_, start, declined) for id_, declined in submitting.accepted.items()], said


def paced(running: Stack, number: int, rate: float, wait: bool) -> tuple[list[Order], dict[str, Any]]:
    """As `burst`, at equal distances, each from when it was due; with `wait` what is said has the answers too."""
    ahead = time.time() - time.perf_counter()
    start = time.perf_counter()
    with closing(stack.customers(running, WAIT_SECONDS * wait, DECLINED_EVERY, MOST, SKUS)) as many:
        samples = OpenLoad(many, to_the_end=wait).run(start + each / rate for each in range(number))
    said: dict[str, Any] = {"submit_s": round(time.perf_counter() - start, 2)}
    said["refused"] = sum(each.order_id is None for each in samples)
    if wait:
        answered = [each.ended - each.due for each in samples if each.ended]
        said |= {f"answer_p{p}_ms": round(1000 * given.common().pct(answered, p), 1) for p in (50, 99)}
    return [Order(each.order_id, each.due + ahead, each.declined) for each in samples if each.order_id], said


def ends(running: Stack, orders: list[Order], cap: float) -> dict[UUID, float]:
    """Unix time at which each end was recorded; without those that have not ended within `cap` seconds."""
    ids, end = [order.id for order in orders], time.monotonic() + cap
    while len(found := stack.ends(running, ids)) < len(ids) and time.monotonic() < end:
        time.sleep(LOOK_EVERY)
    return found


def is_right(running: Stack, orders: list[Order], cap: float) -> bool:
    """The declined orders are cancelled and the others confirmed; stock is short of these alone, none is reserved."""
    declined = {order.id for order in orders if order.declined}
    confirmed = {order.id for order in orders} - declined
    with psycopg.connect(running.environments.owner_urls()["order_service"], autocommit=True) as store:
        states = store.execute(STATES, ([order.id for order in orders],)).fetchall()
    if set(states) != {(id_, "order.cancelled") for id_ in declined} | {(id_, "order.confirmed") for id_ in confirmed}:
        return False
    end = time.monotonic() + cap
    while (found := stock(running)) != (SKUS * STOCK - len(confirmed), 0):
        if time.monotonic() > end:
            print(f"on hand and reserved are {found}", file=sys.stderr)
            return False
        time.sleep(LOOK_EVERY)
    return True


def stock(running: Stack) -> tuple[int, int]:
    """Pieces on hand, and those of them that are reserved."""
    with psycopg.connect(running.environments.owner_urls()["inventory_service"], autocommit=True) as store:
        items = [history.load_as_of(store, stock_item_id(f"product-{number}")) for number in range(SKUS)]
    found = [item for item in items if isinstance(item, StockItem)]
    return sum(item.on_hand for item in found), sum(item.reserved for item in found)


def measure(number: int, rate: float, cap: float, case: str, wait: bool) -> None:
    common = given.common()
    with whole_stack() as running:
        pids = stack.pids(running)
        before, start = spent.cpu(pids), time.time()
        orders, said = paced(running, number, rate, wait) if rate else burst(running, number)
        ended = ends(running, orders, cap)
        ok = len(ended) == len(orders) and is_right(running, orders, cap)
        said |= {"cpu_s": round(sum(spent.since(before, pids).values()), 2), "memory_mb": round(spent.memory_mb(pids))}
    latencies = [ended[order.id] - order.since for order in orders if order.id in ended]
    p50, p99 = (round(1000 * common.pct(latencies, percent), 1) for percent in (50, 99))
    value, unit = (p50, "ms p50") if rate else (len(ended) / (max(ended.values()) - start), "orders/s")
    settings = {
        "processes": len(running.processes),
        "confirms": True,
        "queue": "quorum",
        "submit": f"{rate:g}/s" if rate else f"burst, {CUSTOMERS} keep-alive HTTP clients",
        "answer": "at the end" if wait else "at once",
    }
    name = "ours, answered at the end" if wait else "ours"
    common.emit(name, case, value, unit, settings, n=number, ok=ok, p50_ms=p50, p99_ms=p99, **said)


def main() -> None:
    parser = argparse.ArgumentParser(description="One run of the peers' harness: see docs/BENCHMARKS.md.")
    parser.add_argument("--n", type=int, default=3000)
    parser.add_argument("--rate", type=float, default=0, help="orders a second; 0: a burst")
    parser.add_argument("--cap", type=float, default=90, help="seconds until what has not ended is given up")
    parser.add_argument("--case", default="saga")
    parser.add_argument("--wait", action="store_true", help="with `Prefer: wait`: the answer shows the end")
    options = parser.parse_args()
    measure(options.n, options.rate, options.cap, options.case, options.wait)


if __name__ == "__main__":
    main()
