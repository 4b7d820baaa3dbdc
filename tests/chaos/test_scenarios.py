"""Each scenario of `./ordersaga chaos` on a stack of its own, as a person runs it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from devstack.breaking.scenarios.table import WHAT
from devstack.chaos.faults.target import with_children
from devstack.children import Identity
from devstack.records import Records
from devstack.state import IMPORT_PATH, ROOT, State
from tests.support.wait import until

SECONDS, STOP_SECONDS = 600, 120
Told = Mapping[str, Any]


@contextmanager
def scenario_process(name: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    """The command; it is interrupted when the test fails before it has ended."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "devstack", "chaos", name, *options],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": IMPORT_PATH},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=STOP_SECONDS)


def steps_of(told: Told) -> str:
    return "\n".join(step["text"] for step in told["steps"])


def events_of(told: Told) -> list[str]:
    """Of all orders that are told."""
    return [event for order in told["orders"] for step in order["steps"] for event in step["records"]]


def cards_declined(told: Told) -> bool:
    after = told["after"]
    states = (after["orders confirmed"], after["orders cancelled"], after["card processor: charges made"])
    undone = [step for order in told["orders"] for step in order["steps"] if step["compensates"]]
    return states == (1, 2, 1) and after["break-lamp: on hand"] == 9 and len(undone) == 1


def charged_once_each(told: Told) -> bool:
    after = told["after"]
    return (
        steps_of(told).count("SIGKILL") == 5 and after["card processor: charges made"] == after["orders confirmed"] == 7
    )


def all_given_back(told: Told) -> bool:
    charged, back = (told["after"][f"card processor: {what}"] for what in ("charged", "of these given back"))
    return bool(charged == back != told["before"]["card processor: charged"])


def ten_are_sold(told: Told) -> bool:
    return (told["after"]["orders confirmed"], told["after"]["break-last-ten: on hand"]) == (10, 0)


def all_confirmed(told: Told) -> bool:
    return bool(told["after"]["orders confirmed"] > 0 == told["after"]["orders cancelled"])


def was_parked(told: Told) -> bool:
    return "orders.order_placed.v1 is retrying" in steps_of(told) and all_confirmed(told)


def was_put_off(told: Told) -> bool:
    return "A request meanwhile: 503, Retry-After" in steps_of(told) and all_confirmed(told)


def copies_were_dropped(told: Told) -> bool:
    return "copies in all" in steps_of(told) and "took effect" in told["findings"][0]


def refused_or_named(told: Told) -> bool:
    said = steps_of(told)
    return said.count("Refused: ") == 10 and "NOT REFUSED" not in said and bool(told["named"])


SHOWN: Mapping[str, Callable[[Told], bool]] = {
    "payment-fail": cards_declined,
    "payment-kill": charged_once_each,
    "payment-delay": all_given_back,
    "silent-card": all_confirmed,
    "broker-crash": all_confirmed,
    "database-crash": was_put_off,
    "stop-worker": all_confirmed,
    "poison": was_parked,
    "oversell": ten_are_sold,
    "duplicate-storm": copies_were_dropped,
    "impostor": refused_or_named,
}
"""Scenario -> whether what is told has what it is about."""


@pytest.mark.timeout(2 * SECONDS)
@pytest.mark.parametrize("name", WHAT)
def test_a_scenario_shows_what_it_is_about_heals_and_ends_with_good_verdicts_alone(name: str) -> None:
    with scenario_process(name, "--json") as process:
        said, told_to_person = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, told_to_person
    told = json.loads(said)
    assert (told["good"], told["healed"], told["unsettled"]) == (True, True, [])
    assert len(told["verdicts"]) >= 13
    assert events_of(told)
    assert SHOWN[name](told), told_to_person


@pytest.mark.timeout(2 * SECONDS)
def test_an_interrupted_scenario_stops_its_stack(tmp_path: Path) -> None:
    place = tmp_path / "kept"
    with scenario_process("stop-worker", "--seconds", "200", "--state", str(place)) as process:
        worker = until(lambda: stopped(Records(State(place / "state"))), seconds=SECONDS, every=0.2)
        assert worker
        started = with_children(Identity.of(process.pid))
        assert worker in started
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=STOP_SECONDS)
        assert process.returncode == 130
        assert [each for each in started if each.is_running()] == []


def stopped(records: Records) -> Identity | None:
    """The worker, once it is frozen."""
    record = records.find("inventory-worker")
    if record is None or not record.identity.is_running():
        return None
    is_stopped = psutil.Process(record.pid).status() == psutil.STATUS_STOPPED
    return record.identity if is_stopped else None
