"""The shop in one process: its sagas run step by step, at any size of its databases, and each step has its cost."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg import Connection

import tests.shop.support.schemas  # noqa: F401 - makes the shop's databases known
from benchmarks.grown import STREAM, grow, long_stream, same_streams
from benchmarks.step_cost import Cost, Costs, cost, mean_of
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

PRODUCTS = 20
"""That are ordered, so that a worker has them in memory at every size."""
FILLED_WITH = 20
"""Sagas that run before their rows are copied."""
LIMITS = window.PageLimits(2**20, 2**24)
ORDER, RESERVE, CONFIRM, SHIP = "POST /orders", "reserve stock", "confirm the order", "ship stock"
LOG = "its five messages on the read side"
SAGA_STEPS = (ORDER, RESERVE, CONFIRM, SHIP, LOG)


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

    def restart(self) -> None:
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
            self.inventory.restart()
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
