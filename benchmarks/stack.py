"""The whole stack as the benchmarks of sagas run it, with plenty of every product."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
from rich.console import Console

from benchmarks.customers import CUSTOMERS, SKUS, Customers, sku
from devstack.demo.customers import token
from devstack.processes import PROCESSES, Process
from devstack.records import SUPERVISOR, Records
from devstack.running import Stack, running_stack
from devstack.state import State
from inventory_service.announcements import announcements as inventory_announcements
from inventory_service.commands import receive_stock
from order_service.announcements import announcements as order_announcements
from order_service.commands import put_product
from ordersaga.envelope.message import Cause
from ordersaga.store.transaction import Transaction, decide

STOCK = 1_000_000
DECLINED_EVERY = 10
"""One in so many orders has a card that is declined, so that its stock is released."""
ENDED = """
select originator_id, extract(epoch from recorded_at)::float8 from stored_events
where originator_id = any(%s) and topic in ('order.confirmed', 'order.cancelled')
"""
COMPENSATED = """
select count(*) from stored_events where originator_id = any(%s) and topic = 'reservation.released'
"""


def table() -> Sequence[Process]:
    """As `./ordersaga up` runs them, but for the card processor, which is in the payment worker."""
    inside = {"PAYMENT_GATEWAY": "in_process"}
    return [
        replace(process, settings={**process.settings, **inside}) if process.name == "payments-worker" else process
        for process in PROCESSES
        if not process.outside
    ]


@contextmanager
def shop(directory: Path, caller: Mapping[str, str] = os.environ, skus: int = SKUS) -> Iterator[Stack]:
    """The stack, on servers of its own unless `caller` names others, as the environment of `./ordersaga up` does."""
    with running_stack(State(directory), Console(quiet=True), table=table(), caller=caller) as stack:
        fill(stack, skus)
        yield stack


def fill(stack: Stack, skus: int = SKUS) -> None:
    def price(transaction: Transaction) -> None:
        for number in range(skus):
            put_product(transaction, sku(number), f"Product {number}", 990, "EUR")

    def supply(transaction: Transaction) -> None:
        for number in range(skus):
            receive_stock(transaction, sku(number), STOCK)

    urls = stack.environments.owner_urls()
    each = (("order_service", order_announcements, price), ("inventory_service", inventory_announcements, supply))
    for service, announcements, work in each:
        with psycopg.connect(urls[service], autocommit=True) as connection:
            decide(connection, announcements, Cause(uuid4(), None, "keeper"), work)


def customers(
    stack: Stack, wait_seconds: int = 0, declined_every: int = 0, most: int = CUSTOMERS, skus: int = SKUS
) -> Customers:
    bearer = token(stack.state, "customer", "alice")
    return Customers(stack.state.port("orders-api"), bearer, wait_seconds, declined_every, most, skus)


def pids(stack: Stack) -> dict[str, int]:
    """Every process and server of the stack by name; the supervisor is this process and is left out."""
    return {record.name: record.pid for record in Records(stack.state).all() if record.name != SUPERVISOR}


def ends(stack: Stack, ids: Collection[UUID]) -> dict[UUID, float]:
    """Unix time at which the end of each order was recorded, of those that have ended."""
    with psycopg.connect(stack.environments.owner_urls()["order_service"], autocommit=True) as store:
        return dict(store.execute(ENDED, (list(ids),)).fetchall())


def compensated(stack: Stack, ids: Collection[UUID]) -> int:
    """How many of these orders have their stock released."""
    with psycopg.connect(stack.environments.owner_urls()["inventory_service"], autocommit=True) as store:
        row = store.execute(COMPENSATED, (list(ids),)).fetchone()
        assert row
        return int(row[0])
