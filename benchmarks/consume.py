"""`python -m benchmarks.consume`: messages a second through one consumer whose reaction records and announces."""

import argparse
import cProfile
import os
import pstats
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pika
import psycopg

from benchmarks.place import Place
from benchmarks.rows import Row, compare
from devstack.servers.private import Servers, private_servers
from ordersaga.broker.topology import EVENTS, Group, declare
from ordersaga.consumer import worker
from ordersaga.envelope.message import Message, to_properties
from ordersaga.runtime.settings import Settings, url_variable
from ordersaga.service import Service
from tests.support.counting import GROUP, announcements, reactions
from tests.support.databases import Database, Databases
from tests.support.workers import counted


def messages(number: int, keys: int) -> Iterator[Message]:
    counters = [uuid4() for _ in range(keys)]
    for turn in range(number // keys):
        for counter in counters:
            yield counted(counter, turn + 1)


def fill(url: str, group: Group, number: int, keys: int) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    declare(channel, [group])
    for message in messages(number, keys):
        channel.basic_publish(EVENTS, message.routing_key, message.body.encode(), to_properties(message))
    while sum(channel.queue_declare(queue, passive=True).method.message_count for queue in group.queue_names) < number:
        time.sleep(0.05)
    connection.close()


def stop_when_done(url: str, number: int, stopping: threading.Event, finished: list[float]) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute("select count(*) from inbox").fetchone() != (number,):
            time.sleep(0.05)
    finished.append(time.perf_counter())
    stopping.set()


@dataclass(frozen=True)
class Run:
    """One consumer, started on full queues in a database of its own."""

    database: Database
    servers: Servers
    messages: int
    keys: int
    profile: bool = False

    def rate(self, url: str) -> float:
        """Messages a second, from the start of consuming to the last commit; `url` is the service's."""
        settings = Settings(amqp_url=self.servers.amqp_url(GROUP))
        os.environ[url_variable(GROUP)] = url
        consumer = worker.Worker(settings, Service(GROUP, announcements, reactions))
        del os.environ[url_variable(GROUP)]
        group = Group(GROUP, tuple(reactions.contracts), 2)
        fill(self.servers.amqp_url("provisioner"), group, self.messages, self.keys)
        finished: list[float] = []
        arguments = (self.database.owner_url, self.messages, consumer.stopping, finished)
        watcher = threading.Thread(target=stop_when_done, args=arguments)
        watcher.start()
        began = time.perf_counter()
        self.run(consumer)
        watcher.join()
        return self.messages / (finished[0] - began)

    def run(self, consumer: worker.Worker) -> None:
        if not self.profile:
            consumer.run()
            return
        profiler = cProfile.Profile()
        profiler.runcall(consumer.run)
        pstats.Stats(profiler, stream=sys.stderr).sort_stats("tottime").print_stats(35)


def bare_rate(amqp_url: str, number: int, keys: int) -> float:
    """Messages a second that pika takes and acknowledges in hundreds when nothing is done with them."""
    group = Group(GROUP, tuple(reactions.contracts), 2)
    fill(amqp_url, group, number, keys)
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    channel = connection.channel()
    channel.basic_qos(prefetch_count=1000)
    taken = 0

    def take(_: object, method: Any, __: object, ___: bytes) -> None:
        nonlocal taken
        taken += 1
        if taken % 100 == 0:
            channel.basic_ack(method.delivery_tag, multiple=True)
        if taken == number:
            channel.stop_consuming()

    began = time.perf_counter()
    for queue in group.queue_names:
        channel.basic_consume(queue, take)
    channel.start_consuming()
    seconds = time.perf_counter() - began
    connection.close()
    return number / seconds


def measure(place: Place) -> list[Row]:
    ours, bare = [], []
    number, keys = place.size.consume_messages, place.size.consume_messages // 2
    for _ in range(place.size.consume_rounds):
        bare.append(bare_rate(place.amqp_url, number, keys))
        with place.fresh_databases() as fresh:
            database = fresh(GROUP)
            ours.append(Run(database, place.servers, number, keys).rate(database.url))
    return [compare("consume_per_s", "messages/s", ours, bare)]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.consume", description=__doc__)
    parser.add_argument("--messages", type=int, default=30_000)
    parser.add_argument("--keys", type=int, default=10_000, help="aggregates they are spread over, in turn")
    parser.add_argument("--profile", action="store_true", help="print where the time goes (and take twice as long)")
    options = parser.parse_args()
    if options.messages % options.keys:
        parser.error("--messages must be a multiple of --keys")
    with tempfile.TemporaryDirectory(prefix="consume-") as directory, private_servers(directory, [GROUP]) as servers:
        database = Databases(servers.postgres)(GROUP)
        rate = Run(database, servers, options.messages, options.keys, options.profile).rate(database.url)
    print(f"{rate:.0f} messages/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
