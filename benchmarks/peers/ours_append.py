"""Peer `ours` of the harness's appends: an event, its outbox row and its idempotency key, committed together."""

import argparse
import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import psycopg

from benchmarks.append import LINES
from benchmarks.peers import given
from order_service.announcements import announcements
from order_service.order import Order
from order_service.service import order_service
from ordersaga.database.migrate import migrate
from ordersaga.envelope.message import Cause
from ordersaga.store.flush import StoredAnswer
from ordersaga.store.transaction import Transaction, decide

PAD = "x" * 300
"""The peers' event has this much beside its fields."""


def place_order(transaction: Transaction) -> None:
    id_ = uuid4()
    transaction.save(
        Order(id=id_, customer="alice", lines=LINES, total=1998, currency="EUR", card="pm_card_visa", contact=PAD)
    )
    body = json.dumps({"order_id": str(id_)})
    transaction.store_answer(StoredAnswer("alice", str(id_), bytes(32), 202, {"Location": f"/orders/{id_}"}, body))


def rate(threads: int, seconds: float) -> float:
    """Commands a second, from when all threads are connected."""
    began: list[float] = []
    barrier = threading.Barrier(threads, lambda: began.append(time.perf_counter()))

    def work() -> int:
        with psycopg.connect(os.environ["DB_URI"], autocommit=True) as connection:
            barrier.wait()
            number = 0
            while time.perf_counter() < began[0] + seconds:
                decide(connection, announcements, Cause(uuid4(), None, "alice"), place_order)
                number += 1
            return number

    with ThreadPoolExecutor(threads) as pool:
        working = [pool.submit(work) for _ in range(threads)]
    return sum(each.result() for each in working) / (time.perf_counter() - began[0])


def main() -> None:
    parser = argparse.ArgumentParser(description="One run of the peers' harness: see docs/BENCHMARKS.md.")
    parser.add_argument("--seconds", type=float, default=3)
    options = parser.parse_args()
    migrate(order_service.schema, os.environ["DB_URI"])
    for threads in (1, 8):
        settings = {"threads": threads, "writes": "event, outbox row, idempotency key"}
        given.common().emit("ours", f"append-{threads}", rate(threads, options.seconds), "appends/s", settings)


if __name__ == "__main__":
    main()
