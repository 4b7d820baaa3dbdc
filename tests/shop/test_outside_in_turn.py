"""The card processor is asked about an order only when all that came before of the order is committed.

Money depends on it: were the card charged while a cancellation that came first is not recorded yet, and the worker then
died, nobody would know of the charge, for a cancelled payment is not asked about again (test_saga_races.py).
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from contracts.inventory import StockReserved
from contracts.orders import OrderCancelled
from ordersaga.broker.topology import Group
from ordersaga.envelope.contract import Contract
from ordersaga.envelope.message import Cause, Message, message_id
from payment_service.reactions import reactions
from tests.conftest import AnyServers
from tests.support.broker import TestBroker
from tests.support.databases import Database, Databases
from tests.support.wait import until
from tests.support.workers import ROOT, publish_one

GROUP = Group("payment_service", tuple(reactions.contracts), 2)
ORDERS = 20
VOIDED = ["payment.opened", "payment.voided"]
REFUNDED = ["payment.opened", "payment.captured", "payment.refunded"]


def reserved(order_id: UUID) -> Message:
    data = StockReserved(order_id=order_id, lines=(), amount=700, currency="EUR", card="pm_card_visa")
    return message("inventory_service", order_id, data)


def cancelled(order_id: UUID) -> Message:
    return message("order_service", order_id, OrderCancelled(order_id=order_id, reason="changed my mind"))


def message(source: str, order_id: UUID, data: Contract) -> Message:
    id_ = message_id(source, order_id, 2, data.NAME)
    now, cause = datetime.now(UTC), Cause(uuid4())
    return Message(id_, data.NAME, source, str(order_id), 2, now, bytes(32), cause, data.model_dump_json())


CASES: dict[str, tuple[list[Callable[[UUID], Message]], list[str]]] = {
    "cancelled first": ([cancelled, reserved], VOIDED),
    "reserved first": ([reserved, cancelled], REFUNDED),
    "cancelled first, twice each": ([cancelled, reserved, cancelled, reserved], VOIDED),
    "reserved first, twice each": ([reserved, reserved, cancelled, cancelled], REFUNDED),
}


@pytest.fixture
def payments(database: Databases) -> Database:
    return database("payment_service")


@pytest.fixture
def start_worker(payments: Database, servers: AnyServers, tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Starts `python -m payment_service`."""
    environment = {
        **os.environ,
        "PAYMENT_SERVICE_DATABASE_URL": payments.url,
        "AMQP_URL": servers.amqp_url("payment_service"),
        "PAYMENT_GATEWAY": "in_process",
        "QUEUES_PER_GROUP": str(GROUP.queues),
    }
    started: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        with (tmp_path / "worker.log").open("ab") as log:
            command = [sys.executable, "-m", "payment_service"]
            started.append(subprocess.Popen(command, env=environment, cwd=ROOT, stderr=log))

    yield start
    for process in started:
        process.kill()
        process.wait()
    sys.stderr.write((tmp_path / "worker.log").read_text()[-4000:])


def test_messages_of_one_order_that_arrive_together_are_asked_about_in_turn(
    payments: Database, broker: TestBroker, start_worker: Callable[[], None]
) -> None:
    """All are in the queues before the worker starts, so that they come in the same batches."""
    orders = {uuid4(): case for case in CASES for _ in range(ORDERS)}
    broker.declare(GROUP)
    with broker.channel() as channel:
        channel.confirm_delivery()
        for order_id, case in orders.items():
            for make in CASES[case][0]:
                until(partial(publish_one, channel, make(order_id)))
    start_worker()
    until(lambda: payments.rows("select count(*) from inbox") == [(2 * len(orders),)])
    recorded = payments.rows("select originator_id, topic from stored_events order by originator_version")
    for order_id, case in orders.items():
        topics = [topic for id_, topic in recorded if id_ == order_id]
        assert topics == CASES[case][1], case
