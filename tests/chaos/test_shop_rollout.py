"""The shop's payment_refunded.v2 is rolled out process by process, over a stack of the commit before, under orders."""

import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

import psutil
import pytest
import requests

from contracts import CONTRACTS
from devstack.demo.shop import ServiceRefused
from devstack.environment import Environments
from devstack.external_servers import ExternalServers
from devstack.processes import MIGRATE, PROCESSES, TOPOLOGY, Process
from devstack.records import Records
from devstack.state import ROOT, State
from tests.shop.support.whole_stack import WholeStack, whole_stack
from tests.support.wait import until

Result = TypeVar("Result")
KIND = "payments.payment_refunded"
V1, V2 = f"{KIND}.v1", f"{KIND}.v2"
SCHEMA = f"docs/contracts/schemas/{V2}.json"
READERS = ("projections-worker", "projections-api", "webhooks")
SOURCE = ("payments-relay", "payments-worker", "payments-api")
OTHERS = tuple(process.name for process in PROCESSES if process.name not in (*READERS, *SOURCE) and not process.outside)
ORDERS = 15
"""Orders that end between two processes."""


def git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of the commit before the second version."""
    if V2 not in CONTRACTS:
        pytest.skip(f"there is no {V2} in this tree")
    try:
        added = git("log", "--format=%H", "--diff-filter=A", "--", SCHEMA).split()
        archive = git("archive", f"{added[-1].decode()}^")
    except (subprocess.CalledProcessError, FileNotFoundError, IndexError):
        pytest.skip(f"git has no commit before {SCHEMA} was added, as in a shallow clone")
    tree = tmp_path_factory.mktemp("before")
    subprocess.run(["tar", "x", "-C", str(tree)], input=archive, check=True)
    return tree


@dataclass
class Traffic:
    """A customer who places an order after the other, and cancels each second one that is confirmed."""

    stack: WholeStack
    orders: list[UUID] = field(default_factory=list)
    failed: list[Exception] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        shop = self.stack.shop()
        try:
            while not self.stop.wait(0.2):
                key = str(uuid4())
                self.orders.append(patiently(partial(shop.order, "alice", [("book", 1)], "pm_card_visa", key=key)))
                if len(self.orders) > 10 and len(self.orders) % 2:
                    with suppress(requests.RequestException, ServiceRefused):
                        shop.cancel("alice", self.orders[-10])
        except Exception as error:  # noqa: BLE001 - the test raises it
            self.failed.append(error)


def patiently(request: Callable[[], Result]) -> Result:
    """Repeat a request, which takes effect once, until the API that is being replaced answers."""
    end = time.monotonic() + 60
    while True:
        try:
            return request()
        except requests.RequestException:
            if time.monotonic() > end:
                raise


@dataclass
class Rollout:
    """A stack of the code before, whose processes are replaced by those of this tree."""

    stack: WholeStack
    traffic: Traffic
    started: list[psutil.Popen] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.environments = Environments(self.stack.state, ExternalServers())

    def run(self, step: Process) -> None:
        command = [sys.executable, *self.environments.arguments(step)]
        subprocess.run(command, cwd=ROOT, env=self.environments.of(step), check=True, capture_output=True)

    def replace(self, name: str) -> None:
        """End a process of the code before, whose supervisor is stopped, and start it with the code of this tree."""
        [process] = (each for each in PROCESSES if each.name == name)
        record = Records(self.stack.state).find(name)
        assert record is not None
        old = psutil.Process(record.pid)
        old.terminate()
        until(lambda: not old.is_running() or old.status() == psutil.STATUS_ZOMBIE, 60, every=0.1)
        with (self.stack.state.directory / f"{name}.new.log").open("w") as log:
            command = [sys.executable, *self.environments.arguments(process)]
            environment = self.environments.of(process)
            self.started.append(psutil.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log))
        until(lambda: answers(f"{self.stack.url(name)}/readyz"), 60, every=0.2)
        self.go_on()

    def go_on(self, orders: int = ORDERS) -> None:
        wanted = len(self.traffic.orders) + orders
        until(lambda: self.traffic.failed or len(self.traffic.orders) >= wanted, 120, every=0.2)
        assert not self.traffic.failed

    def logged(self, contract: str) -> int:
        query = "select count(*) from event_log where contract = %s"
        return int(self.stack.rows("projections", query, contract)[0][0])

    def waiting(self) -> list[tuple[Any, ...]]:
        """What waits for the code of this tree, by place."""
        parked = "select contract, error from parked_messages where state = 'retrying'"
        kept = "select contract, kind from undeliverable where kind <> 'waits'"
        return self.stack.rows("projections", parked) + self.stack.rows("payment_service", kept)

    def was_ever_parked(self) -> list[str]:
        databases = self.stack.urls
        query = "select is_called from parked_messages_position_seq"
        return [name for name in databases if self.stack.rows(name, query)[0][0]]

    def end(self) -> None:
        """The last orders end."""
        self.traffic.stop.set()
        until(lambda: not self.waiting(), 120, every=0.5)
        unfinished = "select count(*) from saga_view where waits_for is not null"
        until(lambda: self.stack.rows("projections", unfinished) == [(0,)], 120, every=0.5)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


@pytest.fixture
def rollout(before: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rollout]:
    """The stack of the code before with orders coming in; its supervisor no longer restarts what ends."""
    monkeypatch.setenv("PYTHONPATH", f"{before}:{before / 'src'}")
    with whole_stack(tmp_path / "state", root=before) as stack:
        monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'src'}")
        stack.root = ROOT
        stack.shop().stock("book", "Book", 1200, 100_000)
        traffic = Traffic(stack)
        thread = threading.Thread(target=traffic.run, daemon=True)
        thread.start()
        rollout = Rollout(stack, traffic)
        until(lambda: traffic.failed or rollout.logged(V1) > 2, 120, every=0.5)
        supervisor = Records(State(tmp_path / "state")).supervisor()
        assert supervisor
        stopped = psutil.Process(supervisor.pid)
        stopped.suspend()
        try:
            rollout.run(MIGRATE)
            rollout.run(TOPOLOGY)
            yield rollout
        finally:
            traffic.stop.set()
            thread.join()
            for process in rollout.started:
                process.terminate()
            psutil.wait_procs(rollout.started, timeout=30)
            stopped.resume()


def check(rollout: Rollout) -> None:
    """Every order has ended as it must, both versions have been received, and nothing is anywhere that must not be."""
    assert rollout.logged(V1) > 2
    assert rollout.logged(V2) > 2
    assert rollout.stack.command("reconcile")["findings"] == []
    assert rollout.stack.violations() == []
    rebuilt = rollout.stack.command("projections", "rebuild", "--dry-run")
    assert [each for each in rebuilt.get("findings", []) if each["table"] == "event_log"] == []
    sys.stderr.write(f"{len(rollout.traffic.orders)} orders, {rollout.logged(V1)} {V1}, {rollout.logged(V2)} {V2}\n")


@pytest.mark.timeout(900)
def test_in_the_documented_order_orders_go_on_and_nothing_is_parked(rollout: Rollout) -> None:
    for name in (*READERS, *SOURCE, *OTHERS):
        rollout.replace(name)
    until(lambda: rollout.logged(V2) > 2, 120, every=0.5)
    rollout.end()
    check(rollout)
    assert rollout.was_ever_parked() == []


@pytest.mark.timeout(900)
def test_with_its_source_first_the_new_messages_wait_where_they_are_seen_until_the_readers_know_them(
    rollout: Rollout,
) -> None:
    rollout.replace("payments-worker")
    until(lambda: (V2, "unknown_contract") in rollout.waiting(), 120, every=0.5)
    for name in ("payments-relay", "payments-api", *OTHERS):
        rollout.replace(name)
    until(lambda: (V2, "UnknownContract") in rollout.waiting(), 120, every=0.5)
    for name in READERS:
        rollout.replace(name)
    rollout.end()
    check(rollout)
