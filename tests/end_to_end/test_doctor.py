"""`./ordersaga doctor` on a running stack: nothing when it is healthy, and what only the broker's metrics tell."""

import os
import signal
from typing import Any

import shop
from devstack.environment import Environments
from devstack.external_servers import ExternalServers
from devstack.process_findings import process_findings
from ordersaga.broker import bound_contracts
from ordersaga.broker.topology import Group
from ordersaga.diagnosis.broker.metrics import metrics
from ordersaga.diagnosis.findings import DiagnosisFinding
from ordersaga.diagnosis.questions import Terms
from tests.shop.support.whole_stack import WholeStack
from tests.support.broker import TestBroker
from tests.support.wait import until

LEFT_BY_OTHER_TESTS = {"parked messages"}
FORMER = Group("former_service", ("orders.order_placed.v1",), 1)


def unexpected(stack: WholeStack) -> list[dict[str, Any]]:
    answer = stack.command("doctor")
    assert answer["unseen"] == []
    who = {(lock["place"], " ".join(lock["who"]["application_name"].split()[:-2])) for lock in answer["locks"]}
    assert who >= {(each.database, f"{each.name} worker") for each in shop.services} | {
        (each.database, "relay") for each in shop.services if not each.is_read_side
    }
    return [finding for finding in answer["findings"] if finding["kind"] not in LEFT_BY_OTHER_TESTS]


def test_nothing_is_found_on_a_healthy_stack(stack: WholeStack) -> None:
    until(lambda: unexpected(stack) == [], every=1)


def test_a_process_that_a_signal_stopped_is_named_though_the_broker_and_postgres_take_it_for_one_that_works(
    stack: WholeStack,
) -> None:
    [pid] = [line["pid"] for line in stack.status()["processes"] if line["name"] == "webhooks"]
    os.kill(pid, signal.SIGSTOP)
    try:
        [found] = until(lambda: process_findings(stack.state))
    finally:
        os.kill(pid, signal.SIGCONT)
    assert (found.kind, found.place, found.remedy) == ("stopped process", "webhooks", f"kill -CONT {pid}")
    until(lambda: not process_findings(stack.state))


def superfluous(stack: WholeStack) -> list[DiagnosisFinding]:
    url = Environments(stack.state, ExternalServers()).broker_metrics_url()
    return [
        each
        for each in metrics(url, shop.services, Terms())
        if isinstance(each, DiagnosisFinding) and each.kind == "superfluous queue"
    ]


def test_the_queues_of_a_service_that_the_application_has_no_more_are_named(stack: WholeStack) -> None:
    broker = TestBroker(Environments(stack.state, ExternalServers()).amqp_url("provisioner"))
    broker.declare(FORMER)
    try:
        with broker.channel() as channel:
            bound_contracts.record(channel, FORMER)
        [named] = until(lambda: superfluous(stack), every=0.2)
    finally:
        broker.clean()
    assert named.what.startswith("no service of the application has the group former_service")
    assert "former_service.0, former_service.dead_letters and bindings.former_service" in named.remedy
