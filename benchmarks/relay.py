"""The relay against pika publishing the same messages from memory: python -m benchmarks.relay --rows 50000."""

import argparse
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pika
import psycopg
from prometheus_client import REGISTRY

from benchmarks.place import Place
from benchmarks.rows import Row, compare
from ordersaga.broker import topology as broker
from ordersaga.envelope.message import COLUMNS, Message, to_properties
from ordersaga.relay import dispatch, window
from ordersaga.relay.relay import Relay
from ordersaga.relay.settings import RelaySettings

GROUPS = [broker.Group("benchmark", ("*.*.*",), 2)]
NAME = "benchmark"
EVERYTHING = window.PageLimits(largest=2**20, budget=2**40)

FILL = f"""
insert into outbox ({", ".join(COLUMNS)})
select gen_random_uuid(), 'orders.order_placed.v1', 'order_service', key, 1, now(), sha256(key::bytea),
    gen_random_uuid(), gen_random_uuid(), 'alice', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', '',
    json_build_object('order_id', key, 'customer', 'alice', 'lines', '[{{"sku": "tea", "quantity": 2}}]'::json,
        'total', 1998, 'currency', 'EUR')::text
from (select gen_random_uuid()::text as key from generate_series(1, %s)) as orders
"""  # noqa: S608


def fill(database_url: str, rows: int) -> None:
    """Announce so many orders."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(FILL, (rows,))
        connection.execute("vacuum analyze outbox")


def unpublished(database_url: str) -> list[Message]:
    """The messages that the relay would publish next, in memory."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        opened = window.open_window(connection, window.load_cursor(connection), EVERYTHING)
        page = window.fetch_page(connection, opened.positions, EVERYTHING)
        return [row.message for row in page]


@contextmanager
def queues(amqp_url: str) -> Iterator[None]:
    """Empty queues for every contract, gone afterwards."""
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    channel = connection.channel()
    broker.declare(channel, GROUPS)
    try:
        yield
    finally:
        for group in GROUPS:
            for queue in (*group.queue_names, group.dead_letters):
                channel.queue_delete(queue)
        connection.close()


def confirmed() -> float:
    return REGISTRY.get_sample_value("ordersaga_relay_messages_published_total", {"database": NAME}) or 0.0


def relay_of(database_url: str, amqp_url: str, stop: threading.Event) -> Relay:
    """With the settings that a relay has by default."""
    settings = RelaySettings()
    retention_seconds, max_bytes = 3600 * settings.relay_retention_hours, settings.relay_max_message_bytes
    return Relay(NAME, database_url, amqp_url, stop, False, retention_seconds, max_bytes, groups={}, announced=None)


def relay_rate(database_url: str, amqp_url: str, rows: int) -> float:
    """Messages per second, from taking the lead to the last confirm, of so many rows that wait in the outbox."""
    stop = threading.Event()
    relay = relay_of(database_url, amqp_url, stop)
    last = confirmed() + rows
    times: list[float] = []

    def watch() -> None:
        while relay.publish_loop is None:
            time.sleep(0.002)
        times.append(time.perf_counter())
        while confirmed() < last:
            time.sleep(0.002)
        times.append(time.perf_counter())
        stop.set()

    threading.Thread(target=watch, daemon=True).start()
    relay.run()
    return rows / (times[1] - times[0])


class RawPublisher:
    """The least that pika needs to publish prepared messages with pipelined confirms."""

    def __init__(self, amqp_url: str, messages: list[Message]) -> None:
        self.prepared = [(m.routing_key, m.body.encode(), to_properties(m)) for m in messages]
        self.sent = self.settled = 0
        self.outstanding: set[int] = set()
        self.start = self.end = 0.0
        self.connection = pika.SelectConnection(
            broker.parameters(amqp_url, "raw publisher")[0],
            on_open_callback=lambda connection: connection.channel(on_open_callback=self.on_channel),
            on_close_callback=lambda connection, _: connection.ioloop.stop(),
        )

    def rate(self) -> float:
        """Messages per second, from the first publish to the last confirm."""
        self.connection.ioloop.start()
        self.connection.ioloop.close()
        return len(self.prepared) / (self.end - self.start)

    def on_channel(self, channel: Any) -> None:
        self.channel = channel
        channel.confirm_delivery(self.on_confirm)
        self.start = time.perf_counter()
        self.publish()

    def publish(self) -> None:
        room = dispatch.MAX_IN_FLIGHT - len(self.outstanding)
        for routing_key, body, properties in self.prepared[self.sent : self.sent + room]:
            self.channel.basic_publish(broker.EVENTS, routing_key, body, properties, mandatory=True)
            self.sent += 1
            self.outstanding.add(self.sent)

    def on_confirm(self, frame: Any) -> None:
        tag = frame.method.delivery_tag
        if frame.method.multiple:
            self.outstanding.difference_update(range(self.settled + 1, tag + 1))
            self.settled = tag
        self.outstanding.discard(tag)
        self.publish()
        if not self.outstanding:
            self.end = time.perf_counter()
            self.connection.close()


def measure(database_url: str, amqp_url: str, rows: int, rounds: int) -> list[Row]:
    """Medians over rounds, in each of which the two follow one another."""
    relayed, raw = [], []
    if unpublished(database_url):
        raise SystemExit("The outbox has unpublished rows. Give a database that is there for the benchmark alone.")
    for _ in range(rounds):
        fill(database_url, rows)
        with queues(amqp_url):
            raw.append(RawPublisher(amqp_url, unpublished(database_url)).rate())
        with queues(amqp_url):
            relayed.append(relay_rate(database_url, amqp_url, rows))
    return [compare("relay_vs_raw_publish", "messages/s", relayed, raw)]


def measure_in(place: Place) -> list[Row]:
    with place.fresh_databases() as fresh:
        return measure(fresh("order_service").owner_url, place.amqp_url, place.size.relay_rows, place.size.relay_rounds)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.relay",
        description="The relay's rate against pika publishing the same messages from memory. Needs DATABASE_URL, the "
        "owner of a migrated database that it may fill, and AMQP_URL, of a user who may declare in an empty vhost.",
    )
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    for row in measure(os.environ["DATABASE_URL"], os.environ["AMQP_URL"], arguments.rows, arguments.rounds):
        print(row)


if __name__ == "__main__":
    main()
