"""`./ordersaga break` on a running stack: what it breaks, it mends, and it says so."""

import json
import os
import signal
import subprocess
import sys
from uuid import UUID

import psutil
from click.testing import CliRunner

from devstack.breaking.command import break_
from devstack.breaking.scenarios.payment_fail import PaymentFail
from devstack.breaking.scenarios.poison import REFUSED, Poison
from devstack.breaking.scene import Scene
from devstack.chaos.narrative.order_narrative import order_narrative
from devstack.records import Records
from devstack.state import IMPORT_PATH, ROOT
from tests.shop.support.whole_stack import WholeStack
from tests.support.wait import until

TRIGGERS = "select count(*) from pg_trigger where tgname = 'break_refuses'"


def test_a_poisonous_message_is_parked_and_heals_when_its_cause_is_removed(stack: WholeStack) -> None:
    said = CliRunner().invoke(
        break_, ["poison", "--seconds", "0.1", "--json", "--state", str(stack.state.directory)], catch_exceptions=False
    )
    assert said.exit_code == 0, said.output
    found = json.loads(said.stdout)
    assert (found["healed"], list(found["orders"].values())) == (True, ["confirmed", "confirmed"])
    assert any("orders.order_placed" in step["text"] and "Parked: " in step["text"] for step in found["steps"])
    assert stack.rows("inventory_service", TRIGGERS) == [(0,)]
    assert "./ordersaga open parked" in said.stderr


def test_the_trigger_of_a_poison_that_was_killed_refuses_nothing_after_its_time(stack: WholeStack) -> None:
    poison = Poison(Scene(stack.state), -Poison.limit)
    with poison.broken():
        poison.scene.place(REFUSED)
        until(lambda: poison.scene.ask() == {"confirmed": 1}, seconds=30)
        assert stack.rows("inventory_service", TRIGGERS) == [(1,)]


def test_an_interrupted_scenario_removes_its_cause(stack: WholeStack) -> None:
    worker = Records(stack.state).find("inventory-worker")
    assert worker
    command = [sys.executable, "-m", "devstack", "break", "stop-worker", "--seconds", "200"]
    process = subprocess.Popen(
        [*command, "--state", str(stack.state.directory)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": IMPORT_PATH},
        stdout=subprocess.PIPE,
        text=True,
    )
    until(lambda: psutil.Process(worker.pid).status() == psutil.STATUS_STOPPED, seconds=30, every=0.05)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Interrupted: the cause is removed." in said
    assert psutil.Process(worker.pid).status() != psutil.STATUS_STOPPED


def test_what_is_told_of_a_declined_order_is_read_from_the_stores_with_its_compensation(stack: WholeStack) -> None:
    scene = Scene(stack.state)
    scene.stock(PaymentFail.skus[0], 2)
    order = scene.place(PaymentFail.skus[0], 2, customer="ben", card="pm_card_chargeDeclined")
    until(lambda: compensated(stack, order), seconds=30)
    narrative = order_narrative(stack.urls, order, "", PaymentFail.skus)
    told = {step.service + " on " + step.why: step for step in narrative.steps}
    assert told["orders on a request of ben"].announces == ["order_placed"]
    assert told["inventory on order_placed"].records[0] == "stock reserved (2 of break-lamp)"
    assert told["payments on stock_reserved"].records == ["payment declined (card_declined)"]
    assert told["orders on payment_declined"].records == ["order cancelled (payment_declined)"]
    (undone,) = (step for step in narrative.steps if step.compensates)
    assert (undone.service, undone.records[0]) == ("inventory", "stock released (2 of break-lamp)")


def compensated(stack: WholeStack, order: UUID) -> bool:
    steps = order_narrative(stack.urls, order, "", PaymentFail.skus).steps
    return any(step.compensates for step in steps) and any(step.why == "payment_declined" for step in steps)


def test_without_a_stack_nothing_is_broken(tmp_path: object) -> None:
    said = CliRunner().invoke(break_, ["oversell", "--state", str(tmp_path)])
    assert said.exit_code == 1
    assert "No stack is running" in said.stderr
