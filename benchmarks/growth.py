"""`python -m benchmarks.growth`: what a saga costs as tables, streams and the number of open sagas grow."""

import argparse
import json
import logging
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import psycopg
import structlog
from psycopg import Connection
from rich.console import Console
from rich.table import Table

import tests.shop.support.schemas  # noqa: F401 - makes the shop's databases known
from benchmarks.grown import STREAM, grow, long_stream, same_streams
from benchmarks.place import Place
from benchmarks.rows import Row, compare, shortened
from devstack.servers.private import private_servers
from inventory_service.service import inventory_service
from inventory_service.stock import stock_item_id
from order_service import commands
from order_service.api import SAGA
from order_service.commands import UnpricedLine
from order_service.service import order_service
from ordersaga.audit import store as sealer
from ordersaga.audit.checkpoint import Snapshot
from ordersaga.consumer import deadlines
from ordersaga.consumer.receiver import Receiver
from ordersaga.envelope.message import Cause, Message, to_properties
from ordersaga.http.admission import MAX_EVENTS, NEWEST_EVENTS, OPEN_SAGAS
from ordersaga.http.idempotency import Answer, RequestKey, once
from ordersaga.inbox.delivery import Delivery, Received, read
from ordersaga.relay import purge, window
from ordersaga.runtime.sessions import WORKER, connect
from ordersaga.service import Service
from ordersaga.store.topics import topic_of
from ordersaga.store.transaction import Transaction, decide
from payment_service.gateway import Captured
from payment_service.service import payment_service
from projections.service import projections
from tests.shop.support.read_side import fill
from tests.support.databases import Database, Databases
from tests.support.party import SAID, message_of

SIZES = (10_000, 100_000, 1_000_000)
STREAMS = (10, 1_000, 10_000)
OPEN = (1, 100, 1_000)
ROUNDS = 3
SAGAS = 100
PRODUCTS = 20
"""That are ordered, so that a worker has them in memory at every size."""
FILLED_WITH = 20
"""Sagas that run before their rows are copied."""
LIMITS = window.PageLimits(2**20, 2**24)
PAGES = "select sum(hits + reads) from pg_stat_get_backend_io(pg_backend_pid())"
ORDER, RESERVE, CONFIRM, SHIP = "POST /orders", "reserve stock", "confirm the order", "ship stock"
LOG = "its five messages on the read side"
STEPS_OF_A_SAGA = (ORDER, RESERVE, CONFIRM, SHIP, LOG)


class Cost(NamedTuple):
    """Of one step, on average: milliseconds of CPU of the client and of its session in Postgres, and pages touched."""

    client: float
    postgres: float
    pages: float

    @property
    def cpu(self) -> float:
        return self.client + self.postgres


Costs = dict[str, Cost]


def mean_of(costs: Sequence[Cost]) -> Cost:
    client, postgres, pages = (sum(figures) / len(costs) for figures in zip(*costs, strict=True))
    return Cost(client, postgres, pages)


@dataclass
class Session:
    """The session of one process of a service, and its handler of messages."""

    service: Service
    database: Database
    said: int = 0
    """Messages of the outbox that were passed on, or came from the copies."""
    receiver: Receiver = field(init=False)
    connection: Connection[Any] = field(init=False)

    def __post_init__(self) -> None:
        self.connection = connect(self.database.url, "growth", WORKER)
        self.receiver = Receiver(self.service.group, self.service.handler())

    def new_messages(self) -> list[Message]:
        with self.database.connect() as connection:
            messages = [message_of(*row) for row in connection.execute(SAID, (self.said,))]
        self.said += len(messages)
        return messages

    def skip_old_messages(self) -> None:
        self.said = self.database.rows("select count(*) from outbox")[0][0]

    def forget(self) -> None:
        """As a worker that has just started."""
        self.receiver = Receiver(self.service.group, self.service.handler())

    def receive(self, messages: Sequence[Message]) -> None:
        received = [self._read(message) for message in messages]
        self.receiver.receive(self.connection, received)

    def _read(self, message: Message) -> Received:
        delivery = Delivery(0, message.routing_key, to_properties(message).headers, message.body.encode())
        read_ = read(delivery, self.receiver.handler.contracts)
        assert isinstance(read_, Received)
        read_.answer = Captured("ch_1", 990, "EUR")
        return read_

    def cost(self, steps: Iterable[Callable[[], object]]) -> Cost:
        return cost(self.connection, steps)


def cost(connection: Connection[Any], steps: Iterable[Callable[[], object]]) -> Cost:
    """Of one of the steps on this connection, on average."""
    process = connection.info.backend_pid
    todo = list(steps)
    number = len(todo)
    touched, began = pages(connection), (time.thread_time_ns(), on_cpu(process))
    for step in todo:
        step()
    spent = time.thread_time_ns() - began[0], on_cpu(process) - began[1]
    client, postgres = (nanoseconds / 1e6 / number for nanoseconds in spent)
    return Cost(client, postgres, (pages(connection) - touched) / number)


def pages(connection: Connection[Any]) -> int:
    """Pages that the session has touched so far."""
    connection.execute("select pg_stat_force_next_flush()")
    return int(connection.execute(PAGES).fetchall()[0][0] or 0)


def on_cpu(process: int) -> int:
    """Nanoseconds that a process has had of a core."""
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[0])


@dataclass
class Shop:
    """The four databases at one size, and the sessions of their processes."""

    orders: Session
    inventory: Session
    payments: Session
    read_side: Session
    skus: list[str]

    @property
    def sessions(self) -> tuple[Session, ...]:
        return self.orders, self.inventory, self.payments, self.read_side

    def close(self) -> None:
        for session in self.sessions:
            session.connection.close()

    def skip_old_messages(self) -> None:
        for session in self.sessions[:3]:
            session.skip_old_messages()

    def price(self, *new: str) -> None:
        def price_them(transaction: Transaction) -> None:
            for sku in new:
                commands.put_product(transaction, sku, sku, 990, "EUR")

        decide(self.orders.connection, order_service.announcements, Cause(uuid4(), None, "keeper"), price_them)

    def place(self, sku: str) -> UUID:
        order_id = uuid4()

        def place_it(transaction: Transaction) -> Answer:
            line = [UnpricedLine(sku, 1)]
            commands.place_order(transaction, order_id, "alice", line, "pm_card_visa", timedelta(minutes=15))
            return Answer(202, "{}", subject=order_id)

        key = RequestKey("alice", f"customer {uuid4()}", bytes(32))
        connection = self.orders.connection
        decide(connection, order_service.announcements, Cause(uuid4(), None, "alice"), once(connection, key, place_it))
        return order_id

    def cold_sagas(self, number: int, sku: str) -> Costs:
        """Of a worker that has just started, for each of them."""
        costs = []
        for _ in range(number):
            self.inventory.forget()
            costs.append(self.sagas(1, [sku]))
        steps = (RESERVE, SHIP)
        return {f"{step}, worker just started": mean_of([one[step] for one in costs]) for step in steps}

    def leave_open(self, number: int) -> None:
        """Reserve stock for so many orders that are not confirmed."""
        for _ in range(number):
            self.place(self.skus[0])
        self.inventory.receive(self.orders.new_messages())
        self.inventory.skip_old_messages()

    def sagas(self, number: int, skus: Sequence[str] | None = None) -> Costs:
        """Run so many sagas, step by step: each step is one transaction of one message, as under a light load."""
        chosen = [random.choice(skus or self.skus) for _ in range(number)]
        costs = {ORDER: self.orders.cost(partial(self.place, one) for one in chosen)}
        placed = self.orders.new_messages()
        costs[RESERVE] = self.inventory.cost(each(self.inventory, placed))
        reserved = self.inventory.new_messages()
        self.payments.receive(reserved)
        captured = self.payments.new_messages()
        costs[CONFIRM] = self.orders.cost(each(self.orders, captured))
        confirmed = self.orders.new_messages()
        costs[SHIP] = self.inventory.cost(each(self.inventory, confirmed))
        shipped = self.inventory.new_messages()
        said = [*placed, *reserved, *captured, *confirmed, *shipped]
        in_fives = [said[start::number] for start in range(number)]
        costs[LOG] = self.read_side.cost(partial(self.read_side.receive, five) for five in in_fives)
        return costs

    def idle(self) -> Costs:
        """What asks again and again when there is nothing to do."""
        with psycopg.connect(self.orders.database.owner_url, autocommit=True) as owner:
            [(since, position)] = owner.execute(
                "select pg_current_snapshot()::text, (select max(position) from stored_events)"
            ).fetchall()
            look = {"begins": topic_of(SAGA.begins), "topics": SAGA.topics, "after": position - 200, "most": MAX_EVENTS}
            asked: dict[str, Callable[[], object]] = {
                "relay: poll": lambda: window.open_window(owner, window.Cursor(since), LIMITS),
                "relay: purge": lambda: purge.purge(owner, 86_400, 0),
                "sealer: window": lambda: sealer.window(owner, Snapshot(since)),
                "worker: deadlines": lambda: deadlines.take(owner, ["completion"], 50),
                "API: admission": lambda: owner.execute(NEWEST_EVENTS, look, prepare=True).fetchall(),
                "API: sagas under way": lambda: owner.execute(OPEN_SAGAS, (100_000,), prepare=True).fetchall(),
            }
            return {name: cost(owner, [ask] * 50) for name, ask in asked.items()}


def each(session: Session, messages: Sequence[Message]) -> Iterator[Callable[[], object]]:
    return (partial(session.receive, [message]) for message in messages)


def shop(databases: Databases) -> Shop:
    """Empty, with tea on the price list and the shelves."""
    names = (order_service, inventory_service, payment_service, projections)
    orders, inventory, payments, read_side = (Session(service, databases(service.database)) for service in names)
    made = Shop(orders, inventory, payments, read_side, ["tea"])
    made.price("tea")
    long_stream(made.inventory.database, "tea", STREAM)
    made.skip_old_messages()
    return made


def grown(databases: Databases, events: int) -> Shop:
    """With so many events in each database but that of payments; plans and statistics are of before it grew.

    The read side alone has been vacuumed since: without a visibility map it touches twice the pages.
    """
    made = shop(databases)
    made.sagas(FILLED_WITH)
    grow(made.orders.database, events, "topic like 'product.%'")
    grow(made.inventory.database, events * 3 // 5, "topic like 'stock.%'")
    others = [f"tea-{number}" for number in range(events * 2 // 5 // STREAM)]
    made.price(*others)
    same_streams(made.inventory.database, stock_item_id("tea"), [stock_item_id(sku) for sku in others])
    made.skus += others[: PRODUCTS - 1]
    with psycopg.connect(made.read_side.database.owner_url, autocommit=True) as owner:
        fill(owner, events // 5)
        owner.execute("vacuum analyze")
    made.skip_old_messages()
    return made


def compared(places: Mapping[str, Callable[[], Costs]]) -> dict[str, dict[str, Cost]]:
    """Step -> place -> its cost, the least of some rounds that take the places in turn."""
    found: dict[str, dict[str, list[Cost]]] = {}
    for _ in range(ROUNDS):
        for place, measure in places.items():
            for step, one in measure().items():
                found.setdefault(step, {}).setdefault(place, []).append(one)
    return {
        step: {place: min(costs, key=attrgetter("cpu")) for place, costs in of.items()} for step, of in found.items()
    }


def by_size(databases: Databases, sizes: Sequence[int]) -> dict[str, dict[str, Cost]]:
    with ExitStack() as open_:
        shops = {f"{size:,} events": open_.enter_context(closing(grown(databases, size))) for size in sizes}
        sagas = compared({place: partial(one.sagas, SAGAS) for place, one in shops.items()})
        return sagas | compared({place: one.idle for place, one in shops.items()})


def by_stream(databases: Databases, lengths: Sequence[int]) -> dict[str, dict[str, Cost]]:
    cold, warm = {}, {}
    with closing(shop(databases)) as one:
        for length in lengths:
            sku, place = f"tea-{length}", f"stream of {length:,}"
            one.price(sku)
            long_stream(one.inventory.database, sku, length)
            cold[place] = partial(one.cold_sagas, SAGAS // 2, sku)
            warm[place] = partial(one.sagas, SAGAS, [sku])
        one.skip_old_messages()
        return compared(cold) | compared(warm)


def by_open(databases: Databases, numbers: Sequence[int]) -> dict[str, dict[str, Cost]]:
    with ExitStack() as open_:
        places = {}
        for number in numbers:
            one = open_.enter_context(closing(shop(databases)))
            one.leave_open(number)
            places[f"{number:,} open"] = partial(one.sagas, SAGAS)
        return compared(places)


def rows(found: Mapping[str, Mapping[str, Cost]]) -> list[Row]:
    """A row for each step and place; the reference is the first place, the smallest."""
    made = []
    for step, of in found.items():
        smallest = next(iter(of.values()))
        for place, one in of.items():
            ratio = one.cpu / smallest.cpu
            made.append(Row(f"{step}, {place}", shortened(one.cpu), "ms", shortened(smallest.cpu), shortened(ratio)))
    return made


def table(found: Mapping[str, Mapping[str, Cost]]) -> Table:
    made = Table("step", "place", "CPU ms", "of it Postgres", "pages", "ratio", "ratio of pages")
    for step, of in found.items():
        smallest = next(iter(of.values()))
        for place, one in of.items():
            ratios = f"{one.cpu / smallest.cpu:.2f}", f"{one.pages / max(1, smallest.pages):.2f}"
            made.add_row(step, place, f"{one.cpu:.2f}", f"{one.postgres:.2f}", f"{one.pages:.0f}", *ratios)
        made.add_section()
    return made


def measure(place: Place) -> list[Row]:
    """All steps of a saga that are measured here, in one row: at a hundred thousand events beside ten thousand."""
    if place.size.read_side_orders is None:
        return []
    with place.fresh_databases() as fresh:
        found = by_size(fresh, SIZES[:2])
    few, many = (
        sum(cpus) for cpus in zip(*([one.cpu for one in found[step].values()] for step in STEPS_OF_A_SAGA), strict=True)
    )
    return [compare("growth_saga_cpu_ms_at_100k_events", "ms", [many], [few])]


PARTS = {"size": (by_size, SIZES), "stream": (by_stream, STREAMS), "open": (by_open, OPEN)}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.growth", description=f"{__doc__} See docs/BENCHMARKS.md."
    )
    parser.add_argument("--part", choices=PARTS, action="append", help="only this one; may be repeated")
    parser.add_argument("--events", type=int, nargs="+", default=SIZES, help="sizes of each database")
    parser.add_argument("--json", type=Path, help="write the rows to this file too")
    options = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    load, made = os.getloadavg()[0], []
    with tempfile.TemporaryDirectory(prefix="growth-") as directory, private_servers(directory) as servers:
        databases = Databases(servers.postgres)
        for part in options.part or PARTS:
            measure, points = PARTS[part]
            found = measure(databases, options.events if part == "size" else points)
            Console(width=None if sys.stdout.isatty() else 150).print(table(found))
            made += rows(found)
    print(f"load average before {load:.1f}, after {os.getloadavg()[0]:.1f}")
    if options.json:
        options.json.write_text(json.dumps({"rows": [row._asdict() for row in made]}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
