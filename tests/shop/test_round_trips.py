"""How often a request of the shop asks its database and waits for the answer."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import Connection

from order_service import commands
from order_service.announcements import announcements
from order_service.commands import UnpricedLine
from order_service.product import product_id
from ordersaga.envelope.message import Cause
from ordersaga.http.idempotency import Answer, RequestKey, once
from ordersaga.store.transaction import Transaction, decide
from tests.support.databases import Database, Databases
from tests.support.wait import until
from tests.support.wire import Traffic, counted

Place = Callable[[Transaction], Answer]
WAITING = "select count(*) from pg_stat_activity where datname = %s and wait_event_type = 'Lock'"


@pytest.fixture
def shop(database: Databases) -> Database:
    """With tea on the price list."""
    shop = database("order_service")
    with shop.connect() as connection:
        decide(connection, announcements, Cause(uuid4()), lambda t: commands.put_product(t, "tea", "Tea", 890, "EUR"))
    return shop


@pytest.fixture
def wire(shop: Database) -> Iterator[tuple[Connection[Any], Traffic]]:
    """A connection, and what passes over it."""
    with counted(shop.url) as (url, traffic), psycopg.connect(url, autocommit=True) as connection:
        yield connection, traffic


def place(transaction: Transaction) -> Answer:
    order = commands.place_order(
        transaction, uuid4(), "alice", [UnpricedLine("tea", 2)], "pm_card_visa", timedelta(minutes=1)
    )
    return Answer(202, "{}", subject=order.id)


def place_after_locking(transaction: Transaction) -> Answer:
    transaction.lock([product_id("tea")])
    return place(transaction)


def key_of(text: str) -> RequestKey:
    return RequestKey("alice", f"customer {text}", b"hash")


def request(connection: Connection[Any], key: RequestKey, command: Place = place) -> Answer:
    return decide(connection, announcements, Cause(uuid4()), once(connection, key, command))


def orders(shop: Database) -> list[UUID]:
    return [id_ for (id_,) in shop.rows("select originator_id from stored_events where topic = 'order.placed'")]


def test_an_order_under_a_key_is_placed_in_three_round_trips(wire: tuple[Connection[Any], Traffic]) -> None:
    connection, traffic = wire
    request(connection, key_of("prepares the statements"))
    before = traffic.round_trips
    request(connection, key_of("a"))
    assert traffic.round_trips - before == 3
    assert request(connection, key_of("a")).replayed
    assert traffic.round_trips - before == 4


def test_a_command_that_locks_is_one_transaction_and_takes_effect_once(shop: Database) -> None:
    with ThreadPoolExecutor(2) as threads, shop.connect() as holder, holder.transaction():
        Transaction(holder, announcements, Cause(uuid4())).lock([product_id("tea")])

        def send() -> Answer:
            with shop.connect() as connection:
                return request(connection, key_of("a"), place_after_locking)

        sent = [threads.submit(send) for _ in range(2)]
        until(lambda: shop.rows(WAITING, [shop.name]) == [(2,)])
        assert orders(shop) == []
    answers = [answer.result() for answer in sent]
    assert [answer.subject for answer in answers] == orders(shop) * 2
    assert sorted(answer.replayed for answer in answers) == [False, True]
