"""Each scenario of `./ordersaga chaos` on a stack of its own, as a person runs it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from devstack.breaking.scenarios.table import WHAT
from devstack.state import IMPORT_PATH, ROOT
from tests.support.wait import until

SECONDS = 400
Told = Mapping[str, Any]


def start(name: str, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "devstack", "chaos", name, *options],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": IMPORT_PATH},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


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


@pytest.mark.parametrize("name", WHAT)
def test_a_scenario_shows_what_it_is_about_heals_and_ends_with_good_verdicts_alone(name: str) -> None:
    process = start(name, "--json")
    said, told_to_person = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, told_to_person
    told = json.loads(said)
    assert (told["good"], told["healed"], told["unsettled"]) == (True, True, [])
    assert len(told["verdicts"]) >= 13
    assert events_of(told)
    assert SHOWN[name](told), told_to_person


def test_an_interrupted_scenario_stops_its_stack() -> None:
    with tempfile.TemporaryDirectory(prefix="ordersaga-interrupted-") as place:
        process = start("stop-worker", "--seconds", "200", "--state", f"{place}/kept")
        until(lambda: stopped(Path(place)), seconds=SECONDS, every=0.2)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)
        assert process.returncode == 130
        assert running(Path(place)) == []


def running(place: Path) -> list[psutil.Process]:
    """Processes of the shop whose data is there."""
    found = []
    for process in psutil.process_iter():
        try:
            if any(str(place) in text for text in (*process.cmdline(), process.cwd())) and process.pid != os.getpid():
                found.append(process)
        except psutil.Error:
            continue
    return found


def stopped(place: Path) -> bool:
    return any(process.status() == psutil.STATUS_STOPPED for process in running(place))
