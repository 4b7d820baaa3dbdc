"""`python -m benchmarks.consume`: messages a second through one consumer whose reaction records and announces."""

import argparse
import cProfile
import json
import os
import pstats
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from uuid import uuid4

import pika
import psycopg

from messaging import worker
from messaging.broker import EVENTS, Group, declare
from messaging.message import Message, to_properties
from messaging.migrate import migrate
from messaging.receiving.reactor import Reactor
from messaging.settings import Settings
from stack.servers.databases import create_databases
from stack.servers.private import Servers, private_servers
from tests.support.counting import GROUP, announcements, reactions
from tests.support.workers import counted

REACH = 3000
"""Messages a second, DESIGN 13."""


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


def consume(servers: Servers, number: int, keys: int, profile: bool) -> float:
    """Seconds from the start of consuming a full queue to the last commit."""
    os.environ[f"{GROUP.upper()}_DATABASE_URL"] = servers.postgres.url(GROUP, GROUP)
    settings = Settings(amqp_url=servers.amqp_url(GROUP))
    consumer = worker.Worker(settings, reactions, announcements, None, Reactor(reactions, announcements))
    fill(servers.amqp_url("provisioner"), consumer.consumer.group, number, keys)
    finished: list[float] = []
    owner = servers.postgres.superuser_url(GROUP)
    watcher = threading.Thread(target=stop_when_done, args=(owner, number, consumer.stopping, finished))
    watcher.start()
    profiler = cProfile.Profile()
    began = time.perf_counter()
    if profile:
        profiler.runcall(consumer.run)
        pstats.Stats(profiler, stream=sys.stderr).sort_stats("tottime").print_stats(35)
    else:
        consumer.run()
    watcher.join()
    return finished[0] - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=30_000)
    parser.add_argument("--keys", type=int, default=10_000, help="aggregates they are spread over, in turn")
    parser.add_argument("--profile", action="store_true", help="print where the time goes (and take twice as long)")
    options = parser.parse_args()
    if options.messages % options.keys:
        parser.error("--messages must be a multiple of --keys")
    with tempfile.TemporaryDirectory(prefix="consume-") as directory, private_servers(directory) as servers:
        create_databases(servers.postgres)
        migrate(GROUP, servers.postgres.superuser_url(GROUP))
        seconds = consume(servers, options.messages, options.keys, options.profile)
    rate = options.messages / seconds
    row = {"name": "consume_per_s", "value": round(rate), "unit": "messages/s", "reference": REACH}
    print(json.dumps({**row, "ratio": round(rate / REACH, 2)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
