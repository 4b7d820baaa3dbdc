"""A card processor that answers nobody holds up nothing that needs no answer, and no operation but the silent one."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from contracts.inventory import StockReserved
from contracts.orders import OrderCancelled
from devstack.ports import choose
from ordersaga.broker.topology import Group
from ordersaga.envelope.contract import Contract
from ordersaga.envelope.message import Cause, Message, message_id
from payment_service.reactions import reactions
from tests.conftest import AnyServers
from tests.shop.support.simulator import KEY, Simulator
from tests.support.broker import TestBroker
from tests.support.databases import Database, Databases
from tests.support.wait import until
from tests.support.workers import ROOT, Process, publish_one

GROUP = Group("payment_service", tuple(reactions.contracts), 2)
CHARGES_AT_ONCE = 4
SILENT, GOOD, BAD = "pm_sim_silent", "pm_card_visa", "pm_card_chargeDeclined"
NEVER_CHARGED = ["payment.opened", "payment.voided"]
REFUNDED = ["payment.opened", "payment.captured", "payment.refunded"]


@dataclass
class Payments:
    """The payment service's worker, its database, and the simulator that it asks."""

    database: Database
    broker: TestBroker
    simulator: Simulator
    worker: Process

    def publish(self, *messages: Message) -> None:
        with self.broker.channel() as channel:
            channel.confirm_delivery()
            for message in messages:
                until(lambda message=message: publish_one(channel, message))  # type: ignore[misc]

    def reserved(self, card: str, number: int = 1) -> list[UUID]:
        """Orders whose stock is reserved, so that they are to be charged."""
        orders = [uuid4() for _ in range(number)]
        for order_id in orders:
            data = StockReserved(order_id=order_id, lines=(), amount=700, currency="EUR", card=card)
            self.publish(message("inventory_service", order_id, data))
        return orders

    def cancel(self, order_id: UUID) -> None:
        data = OrderCancelled(order_id=order_id, reason="changed my mind")
        self.publish(message("order_service", order_id, data))

    def history(self, order_id: UUID) -> list[str]:
        recorded = "select topic from stored_events where originator_id = %s order by originator_version"
        return [topic for (topic,) in self.database.rows(recorded, [order_id])]

    def attempted(self, order_id: UUID) -> bool:
        """Whether the processor has heard of the order."""
        return bool(self.simulator.ledger(order_id)["charges"])

    def calls(self, operation: str, metric: str = "outside_calls_in_progress") -> float:
        labels = f'{{operation="{operation}",resource="card processor"}}'
        return self.worker.metric(f"ordersaga_{metric}{labels}")


def message(source: str, order_id: UUID, data: Contract) -> Message:
    id_ = message_id(source, order_id, 2, data.NAME)
    now, cause = datetime.now(UTC), Cause(uuid4())
    return Message(id_, data.NAME, source, str(order_id), 2, now, bytes(32), cause, data.model_dump_json())


@pytest.fixture
def seconds() -> str:
    """How long the worker waits for an answer: as long as a test runs, unless it says otherwise."""
    return "60"


@pytest.fixture
def payments(
    seconds: str, database: Databases, broker: TestBroker, servers: AnyServers, tmp_path: Path
) -> Iterator[Payments]:
    broker.declare(GROUP)
    own, port = database("payment_service"), choose(set())
    with closing(Simulator(tmp_path / "ledger.sqlite")) as simulator:
        environment = {
            **os.environ,
            "PAYMENT_SERVICE_DATABASE_URL": own.url,
            "AMQP_URL": servers.amqp_url("payment_service"),
            "STRIPE_API_KEY": KEY,
            "STRIPE_API_BASE": simulator.url,
            "STRIPE_TIMEOUT_SECONDS": seconds,
            "CARD_PROCESSOR_CHARGES_AT_ONCE": str(CHARGES_AT_ONCE),
            "HEALTH_PORT": str(port),
            "QUEUES_PER_GROUP": str(GROUP.queues),
        }
        with (tmp_path / "worker.log").open("ab") as log:
            command = [sys.executable, "-m", "payment_service"]
            worker = Process(subprocess.Popen(command, env=environment, cwd=ROOT, stderr=log), port)
        try:
            yield Payments(own, broker, simulator, worker)
        finally:
            worker.kill()
            sys.stderr.write((tmp_path / "worker.log").read_text()[-4000:])


def test_while_more_charges_hang_than_may_run_all_goes_on_that_needs_no_charge(payments: Payments) -> None:
    [charged] = payments.reserved(GOOD)
    until(lambda: len(payments.history(charged)) == 2)
    hanging = payments.reserved(SILENT, CHARGES_AT_ONCE + 2)
    until(lambda: payments.calls("charge") == CHARGES_AT_ONCE)
    until(lambda: payments.calls("charge", "outside_waiting_messages") == 2)
    [waiting], unheard = payments.reserved(GOOD), uuid4()
    until(lambda: payments.calls("charge", "outside_waiting_messages") == 3)
    for order_id in (waiting, unheard, charged, hanging[0]):
        payments.cancel(order_id)
    until(lambda: payments.history(waiting) == payments.history(unheard) == NEVER_CHARGED)
    until(lambda: payments.history(charged) == REFUNDED)
    assert not payments.attempted(waiting)
    # Its charge may have been made, so the processor has to be asked: its cancellation waits for the answer.
    assert payments.history(hanging[0]) == []
    assert payments.calls("charge") == CHARGES_AT_ONCE


@pytest.mark.parametrize("seconds", ["0.05"])
def test_while_the_circuit_of_charges_is_open_orders_that_nobody_asked_about_are_cancelled_and_others_refunded(
    payments: Payments,
) -> None:
    [charged] = payments.reserved(GOOD)
    until(lambda: len(payments.history(charged)) == 2)
    silent = payments.reserved(SILENT, 12)
    [problem] = until(payments.worker.problems, seconds=30)
    assert "the card processor does not answer since" in problem
    assert "(operation charge)" in problem
    [parked] = payments.reserved(SILENT)
    where = "select called, operation from parked_messages where key = %s"
    until(lambda: payments.database.rows(where, [str(parked)]) == [(False, "card processor/charge")])
    payments.cancel(parked)
    payments.cancel(charged)
    until(lambda: payments.history(parked) == NEVER_CHARGED)
    until(lambda: payments.history(charged) == REFUNDED)
    called = next(order for order in silent if payments.database.rows(where, [str(order)])[0][0])
    payments.cancel(called)
    # Withdrawing is an operation of its own, and the simulator answers it.
    until(lambda: payments.history(called) == NEVER_CHARGED, seconds=30)
    assert payments.worker.problems()
    assert payments.calls("refund", "circuit_open") == payments.calls("withdraw", "circuit_open") == 0
