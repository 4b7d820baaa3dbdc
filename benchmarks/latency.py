"""From a commit to a consumer that holds the message, at 20 a second, with the relay in a process of its own."""

import os
import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID, uuid4

import pika
from pika.adapters.blocking_connection import BlockingChannel

from benchmarks.append import LINES
from benchmarks.place import Place
from benchmarks.relay import GROUPS, queues
from benchmarks.rows import Row, compare
from devstack.state import ROOT
from order_service.announcements import announcements
from order_service.order import Order
from ordersaga.broker import topology as broker
from ordersaga.database.doorbell import Doorbell
from ordersaga.database.locks import RELAY_LEAD
from ordersaga.envelope.message import Cause, Message, to_properties
from ordersaga.runtime import sessions
from ordersaga.store.transaction import Transaction, decide
from tests.support.databases import Database
from tests.support.wait import until

EVERY = 0.05
"""Seconds between two messages on average; each pause is random, so that none follows the rhythm of a timer."""
TIMEOUT_SECONDS = 20.0
LEADER = "select 1 from pg_locks where locktype = 'advisory' and (classid, objid) = (%s, %s) and granted"


class Listener(threading.Thread):
    """A consumer of all queues that notes when it held which message."""

    def __init__(self, amqp_url: str) -> None:
        super().__init__(daemon=True)
        self.held: dict[UUID, float] = {}
        self.ready = threading.Event()
        self._connection = pika.BlockingConnection(broker.parameters(amqp_url, "listener"))

    def run(self) -> None:
        channel = self._connection.channel()
        channel.basic_qos(prefetch_count=100)
        for queue in GROUPS[0].queue_names:
            channel.basic_consume(queue, self._hold)
        self.ready.set()
        channel.start_consuming()

    def _hold(self, channel: BlockingChannel, method: object, properties: pika.BasicProperties, _: bytes) -> None:
        now = time.perf_counter()
        self.held[UUID(properties.message_id)] = now
        channel.basic_ack(method.delivery_tag)  # type: ignore[attr-defined]

    def stop(self) -> None:
        self._connection.add_callback_threadsafe(self._connection.close)


@contextmanager
def listening(amqp_url: str) -> Iterator[Listener]:
    listener = Listener(amqp_url)
    threading.excepthook = quiet
    listener.start()
    assert listener.ready.wait(TIMEOUT_SECONDS)
    try:
        yield listener
    finally:
        listener.stop()
        listener.join(TIMEOUT_SECONDS)
        threading.excepthook = threading.__excepthook__


def quiet(failed: threading.ExceptHookArgs) -> None:
    """The listener ends by the closing of its connection."""
    if not isinstance(failed.exc_value, pika.exceptions.AMQPError):
        threading.__excepthook__(failed)


@contextmanager
def relay_process(database: Database, amqp_url: str) -> Iterator[None]:
    """`python -m relay`, active."""
    environment = {**os.environ, "ORDER_SERVICE_DATABASE_URL": database.relay_url, "AMQP_URL": amqp_url}
    command = [sys.executable, "-m", "relay", "order_service"]
    process = subprocess.Popen(command, env=environment, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        until(lambda: database.rows(LEADER, RELAY_LEAD), TIMEOUT_SECONDS)
        yield
    finally:
        process.terminate()
        process.wait()


def place_order(transaction: Transaction) -> Message:
    transaction.save(Order(id=uuid4(), customer="alice", lines=LINES, total=1998, currency="EUR", card="tok_visa"))
    return transaction.rows.messages[0]


def send_in_turn(database: Database, amqp_url: str, number: int) -> tuple[dict[UUID, float], dict[UUID, float]]:
    """When the commit of each was known, and, of as many that go straight to the broker, when they were published."""
    committed: dict[UUID, float] = {}
    published: dict[UUID, float] = {}
    [node] = broker.parameters(amqp_url, "raw publisher")
    node.heartbeat = 0
    raw = pika.BlockingConnection(node)
    channel = raw.channel()
    cause = Cause(uuid4(), None, "alice")
    doorbell = Doorbell(database.url, "benchmark doorbell", sessions.WORKER)
    with database.connect() as connection:
        for _ in range(number):
            time.sleep(random.uniform(0.5, 1.5) * EVERY / 2)
            message = decide(connection, announcements, cause, place_order)
            committed[message.id] = time.perf_counter()
            doorbell.ring()
            time.sleep(random.uniform(0.5, 1.5) * EVERY / 2)
            id_ = uuid4()
            properties = to_properties(message)
            properties.message_id = str(id_)
            published[id_] = time.perf_counter()
            channel.basic_publish(broker.EVENTS, message.routing_key, message.body.encode(), properties)
    raw.close()
    doorbell.close()
    return committed, published


def waited(began: dict[UUID, float], held: dict[UUID, float]) -> list[float]:
    """Milliseconds, sorted, once all are held."""
    until(lambda: began.keys() <= held.keys(), TIMEOUT_SECONDS)
    return sorted(1000 * (held[id_] - moment) for id_, moment in began.items())


def measure(place: Place) -> list[Row]:
    amqp_url = place.amqp_url
    with place.fresh_databases() as fresh, queues(amqp_url), listening(amqp_url) as listener:
        database = fresh("order_service")
        with relay_process(database, amqp_url):
            send_in_turn(database, amqp_url, 20)
            committed, published = send_in_turn(database, amqp_url, place.size.latency_messages)
            ours, raw = waited(committed, listener.held), waited(published, listener.held)
    return [
        compare(f"commit_to_consumer_{name}_ms", "ms", [quantile(ours, share)], [quantile(raw, share)])
        for name, share in (("p50", 50), ("p99", 99))
    ]


def quantile(times: list[float], percent: int) -> float:
    return statistics.quantiles(times, n=100, method="inclusive")[percent - 1]
