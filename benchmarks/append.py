"""Appending a command from eight threads: ours, the same inserts by hand, and the library's own recorder."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import psycopg
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.json import Jsonb

from benchmarks.place import Place
from benchmarks.rows import Row, compare
from order_service.announcements import announcements
from order_service.order import Order, PricedLine
from ordersaga.envelope.message import COLUMNS, Cause
from ordersaga.store.flush import StoredAnswer
from ordersaga.store.transaction import Transaction, decide
from tests.support.databases import Database

THREADS = 8
LINES = [PricedLine(sku="tea", quantity=2, unit_price=499), PricedLine(sku="cup", quantity=1, unit_price=1000)]

Append = Callable[[], object]
Way = Callable[[str], AbstractContextManager[Append]]
"""Connects to a URL; what it yields appends one command."""


def place_order(transaction: Transaction) -> None:
    """A command as HTTP gives it: one event, one announcement, one remembered answer."""
    id_ = uuid4()
    transaction.save(Order(id=id_, customer="alice", lines=LINES, total=1998, currency="EUR", card="tok_visa"))
    location = {"Location": f"/orders/{id_}"}
    transaction.store_answer(
        StoredAnswer("alice", str(id_), bytes(32), 202, location, json.dumps({"order_id": str(id_)}))
    )


@contextmanager
def ours(url: str) -> Iterator[Append]:
    with psycopg.connect(url, autocommit=True) as connection:
        yield lambda: decide(connection, announcements, Cause(uuid4(), None, "alice"), place_order)


WITHOUT_LIST = "alter table stored_events disable trigger stored_events_list_order"


def without_list(database: Database) -> Database:
    """The trigger of the shop's list of orders is off: it reads a time that events made by hand lack, and takes a row
    more for an order, which the library's recorder does not write."""
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute(WITHOUT_LIST)
    return database


INSERT_EVENT = """
insert into stored_events (originator_id, originator_version, topic, state, correlation_id, causation_id, actor, hash)
values (%s, %s, %s, %s, %s, %s, %s, %s)
"""
INSERT_OUTBOX = f"insert into outbox ({', '.join(COLUMNS)}) values ({', '.join('%s' for _ in COLUMNS)})"  # noqa: S608
INSERT_KEY = """
insert into idempotency_keys (caller, key, request_hash, status, headers, body) values (%s, %s, %s, %s, %s, %s)
"""


def fields(id_: UUID) -> dict[str, Any]:
    return {"order_id": str(id_), "customer": "alice", "lines": LINES, "total": 1998, "currency": "EUR", "card": "x"}


def append_by_hand(connection: Connection[Any]) -> None:
    """Three prepared inserts in a transaction: no aggregate, no hash, no computed id, no contract."""
    id_, correlation_id, now = uuid4(), uuid4(), datetime.now(UTC)
    body = json.dumps(fields(id_))
    event = (id_, 1, "order.placed", body.encode(), correlation_id, None, "alice", bytes(32))
    message = (uuid4(), "orders.order_placed.v1", "order_service", str(id_), 1, now, bytes(32))
    answer = ("alice", str(id_), bytes(32), 202, Jsonb({"Location": f"/orders/{id_}"}), body)
    with connection.transaction():
        connection.execute(INSERT_EVENT, event, prepare=True)
        connection.execute(INSERT_OUTBOX, (*message, correlation_id, None, "alice", "", "", body), prepare=True)
        connection.execute(INSERT_KEY, answer, prepare=True)


@contextmanager
def by_hand(url: str) -> Iterator[Append]:
    with psycopg.connect(url, autocommit=True) as connection:
        yield partial(append_by_hand, connection)


@contextmanager
def library_recorder(database: Database) -> Iterator[PostgresApplicationRecorder]:
    parts = {name: str(value) for name, value in conninfo_to_dict(database.owner_url).items()}
    datastore = PostgresDatastore(
        parts["dbname"], parts["host"], parts["port"], parts["user"], parts["password"], pool_size=THREADS
    )
    try:
        recorder = PostgresApplicationRecorder(datastore, events_table_name="library_events")
        recorder.create_table()
        yield recorder
    finally:
        datastore.close()


def append_to_library(recorder: PostgresApplicationRecorder) -> None:
    """The event alone: the library's recorder knows neither outbox nor idempotency key."""
    id_ = uuid4()
    recorder.insert_events([StoredEvent(id_, 1, "order.placed", json.dumps(fields(id_)).encode())])


@contextmanager
def by_library(recorder: PostgresApplicationRecorder) -> Iterator[Append]:
    yield partial(append_to_library, recorder)


def rate(way: Callable[[], AbstractContextManager[Append]], commands: int) -> float:
    """Commands a second, from when all threads are connected and warm to when the last is done."""
    began: list[float] = []
    barrier = threading.Barrier(THREADS, lambda: began.append(time.perf_counter()))

    def work() -> None:
        try:
            with way() as append:
                for _ in range(10):
                    append()
                barrier.wait()
                for _ in range(commands):
                    append()
        except threading.BrokenBarrierError:
            pass  # another thread has failed, and says why
        except BaseException:
            barrier.abort()
            raise

    with ThreadPoolExecutor(THREADS) as threads:
        working = [threads.submit(work) for _ in range(THREADS)]
    for each in working:
        each.result()
    return THREADS * commands / (time.perf_counter() - began[0])


def measure(place: Place) -> list[Row]:
    rates: dict[str, list[float]] = {"ours": [], "psycopg": [], "library": []}
    commands = place.size.append_commands
    with place.fresh_databases() as fresh:
        database = without_list(fresh("order_service"))
        with library_recorder(database) as recorder:
            for _ in range(place.size.append_rounds):
                rates["ours"].append(rate(partial(ours, database.url), commands))
                rates["psycopg"].append(rate(partial(by_hand, database.url), commands))
                rates["library"].append(rate(partial(by_library, recorder), commands))
    unit = "commands/s"
    return [compare(f"append_vs_{other}", unit, rates["ours"], rates[other]) for other in ("psycopg", "library")]
