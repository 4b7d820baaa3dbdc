"""Peer `ours` of the harness's relays: one relay from an outbox to the harness's queue `peer.orders`."""

import argparse
import json
import logging
import os
import signal
import sys
import threading
import time
from functools import partial
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pika
import psycopg
import structlog

from benchmarks.peers import given
from benchmarks.relay import confirmed, relay_of
from order_service.service import order_service
from ordersaga.broker import topology
from ordersaga.database.doorbell import Doorbell
from ordersaga.database.migrate import migrate
from ordersaga.envelope.contract import Contract
from ordersaga.envelope.message import COLUMNS, Cause
from ordersaga.runtime.sessions import SessionLimits
from ordersaga.store.announcements import Announcements
from ordersaga.store.transaction import Transaction, decide

QUEUE = "peer.orders"
LOOK_EVERY = 0.002
FILL = f"""
insert into outbox ({", ".join(COLUMNS)})
select gen_random_uuid(), 'orders.peer_placed.v1', 'order_service', g::text, 1, now(), sha256(g::text::bytea),
    gen_random_uuid(), gen_random_uuid(), 'alice', '', '', {{body}}
from generate_series(1, %s) as g
"""  # noqa: S608


class PeerPlaced(Contract):
    """The harness's message of 512 bytes."""

    NAME: ClassVar[str] = "orders.peer_placed.v1"
    SOURCE: ClassVar[str] = "order_service"
    KEY: ClassVar[str] = "id"
    id: UUID
    seq: int
    type: str
    pad: str


announcements = Announcements("order_service")
announcements.without_event(PeerPlaced)


def setup() -> None:
    """The tables of a service, and the exchange with the harness's queue behind it."""
    migrate(order_service.schema, os.environ["DB_URI"])
    connection = pika.BlockingConnection(pika.URLParameters(given.amqp_url()))
    channel = connection.channel()
    topology.declare(channel, [])
    channel.queue_bind(QUEUE, topology.EVENTS, "#")
    connection.close()


def load(rows: int) -> None:
    with psycopg.connect(os.environ["DB_URI"], autocommit=True) as connection:
        connection.execute(FILL.format(body=os.environ["SQL_BODY"]).encode(), (rows,))


def drain(rows: int, cap: float, case: str) -> None:
    """From becoming active to the last confirm, or for `cap` seconds."""
    stop, common = threading.Event(), given.common()
    relay = relay_of(os.environ["DB_URI"], given.amqp_url(), stop)
    meters = []

    def watch() -> None:
        while relay.publish_loop is None:
            time.sleep(LOOK_EVERY)
        meter = common.Meter()
        meters.append(meter)
        while meter.at(int(confirmed())) < cap and confirmed() < rows:
            time.sleep(LOOK_EVERY)
        stop.set()

    threading.Thread(target=watch, daemon=True).start()
    relay.run()
    rate, extra = meters[0].result(rows)
    common.emit("ours", case, rate, "msgs/s", {"confirms": True, "queue": "quorum"}, **extra)


def serve() -> None:
    stop = threading.Event()
    relay = relay_of(os.environ["DB_URI"], given.amqp_url(), stop)
    signal.signal(signal.SIGTERM, lambda *_: stop.set())

    def say() -> None:
        while relay.publish_loop is None:
            time.sleep(LOOK_EVERY)
        print("READY", flush=True)

    threading.Thread(target=say, daemon=True).start()
    relay.run()


def announce(fields: dict[str, Any], transaction: Transaction) -> None:
    transaction.announce(PeerPlaced(**fields))


def produce() -> None:
    """Announce a message after each gap of the list on stdin, each in a transaction; print when each was committed."""
    gaps, committed, common = json.load(sys.stdin), {}, given.common()
    doorbell = Doorbell(os.environ["DB_URI"], "producer", SessionLimits())
    doorbell.ring()
    with psycopg.connect(os.environ["DB_URI"], autocommit=True) as connection:
        for number, gap in enumerate(gaps):
            time.sleep(gap)
            decide(
                connection, announcements, Cause(uuid4(), None, "alice"), partial(announce, common.body_dict(number))
            )
            committed[number] = time.time()
            doorbell.ring()
    doorbell.close()
    print(json.dumps(committed))


def main() -> None:
    parser = argparse.ArgumentParser(description="One run of the peers' harness: see docs/BENCHMARKS.md.")
    parser.add_argument("mode", choices=["setup", "load", "drain", "serve", "produce"])
    parser.add_argument("--n", type=int, default=0)
    parser.add_argument("--cap", type=float, default=30)
    parser.add_argument("--case", default="drain")
    options = parser.parse_args()
    # Standard output is the harness's.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    match options.mode:
        case "setup":
            setup()
        case "load":
            load(options.n)
        case "drain":
            drain(options.n, options.cap, options.case)
        case "serve":
            serve()
        case _:
            produce()


if __name__ == "__main__":
    main()
