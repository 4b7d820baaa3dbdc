"""Three nodes of RabbitMQ: when a node is killed, or cut off, orders go on without it, and nothing is lost."""

import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from devstack.demo.shop import Shop
from tests.containers import partition
from tests.containers.project import Project
from tests.support.wait import until

pytestmark = pytest.mark.timeout(1200)
PROFILES = ("cluster",)
NODES = ("rabbitmq", "rabbitmq-2", "rabbitmq-3")
RATE = 5
BUYERS = 12


@dataclass
class Cluster:
    """The nodes' queues, as one of them shows them."""

    project: Project

    def rabbitmqctl(self, node: str, *arguments: str) -> list[dict[str, Any]]:
        found = self.project.run("exec", "-T", node, "rabbitmqctl", "--quiet", "--formatter=json", *arguments)
        rows: list[dict[str, Any]] = json.loads(found)
        return rows

    def queues(self, node: str) -> list[dict[str, Any]]:
        columns = ("name", "type", "leader", "members", "online")
        return self.rabbitmqctl(node, "list_queues", "--vhost=ordersaga", *columns)

    def kill(self, node: str) -> None:
        self.project.run("kill", node)

    def start(self, node: str) -> None:
        self.project.run("up", "--detach", "--no-build", node)

    def wait_until_whole(self) -> None:
        """Until each node runs, also one that stopped by itself, and every queue has a member on it that takes part."""
        until(lambda: all(map(self.runs, NODES)), 120, every=1)
        until(lambda: all(len(queue["online"]) == len(NODES) for queue in self.queues("rabbitmq")), 120, every=1)

    def runs(self, node: str) -> bool:
        check = self.project.compose("exec", "-T", node, "rabbitmq-diagnostics", "--quiet", "check_running")
        return check.returncode == 0


@pytest.fixture(scope="module")
def cluster(project: Project) -> Cluster:
    metrics = " ".join(f"http://{node}:15692" for node in NODES)
    project.variables = {**project.variables, "BROKER_METRICS_URL": metrics}
    project.up()
    return Cluster(project)


@pytest.fixture(scope="module")
def shop(project: Project, cluster: Cluster) -> Shop:
    shop = project.shop()
    shop.stock("lens", "Lens", 100, 1000)
    return shop


def confirmed(shop: Shop) -> str:
    """How long it takes until an order that is placed now is confirmed."""
    began = time.monotonic()
    order = shop.order("alice", [("lens", 1)], "pm_card_visa")
    until(lambda: shop.order_of("alice", order)["state"] == "confirmed", seconds=60, every=0.1)
    return f"confirmed in {time.monotonic() - began:.1f} s (load average {os.getloadavg()[0]:.0f})"


def say(line: str) -> None:
    """Shown by `make containers`."""
    sys.stdout.write(f"{line}\n")


def test_every_queue_has_a_member_on_each_node(cluster: Cluster) -> None:
    queues = cluster.queues("rabbitmq")
    assert len(queues) >= 12
    assert {queue["type"] for queue in queues} == {"quorum"}
    assert {len(queue["members"]) for queue in queues} == {len(NODES)}


def test_a_node_is_killed_under_load_and_nothing_is_lost(cluster: Cluster, shop: Shop) -> None:
    project = cluster.project
    with traffic(project):
        for when in ("at first", "later"):
            say(f"{when} an order is {confirmed(shop)}")
        for _ in range(2):
            victim, leads = most_leading(cluster)
            cluster.kill(victim)
            say(f"{victim}, the leader of {leads} queues, is killed; an order is {confirmed(shop)}")
            say(f"  the next is {confirmed(shop)}")
            cluster.start(victim)
            until(lambda: not project.unready(), seconds=120, every=1)
            cluster.wait_until_whole()
            say(f"{victim} is back with all its queues; an order is {confirmed(shop)}")


@pytest.mark.parametrize("how", [partition.split_from, partition.unplugged], ids=["from the others", "from everybody"])
def test_a_node_is_cut_off_under_load_and_the_others_go_on_without_a_loss(
    cluster: Cluster, shop: Shop, how: partition.Cut
) -> None:
    if why := partition.problem():
        pytest.skip(why)
    project = cluster.project
    with traffic(project):
        say(f"at first an order is {confirmed(shop)}")
        victim, leads = most_leading(cluster)
        others = [node for node in NODES if node != victim]
        with how(project, victim, others):
            say(f"{victim}, the leader of {leads} queues, is cut off")
            within = all_confirmed(project)
            say(f"of {BUYERS} orders that are placed then, the last is confirmed after {within:.1f} s")
            until(lambda: "does not reach 1 node" in doctor(project), seconds=60, every=1)
            say(f"then an order is {confirmed(shop)}")
        within = all_confirmed(project)
        say(f"it is healed; of {BUYERS} orders, the last is confirmed after {within:.1f} s")
        cluster.wait_until_whole()
    assert "does not reach" not in doctor(project)


@contextmanager
def traffic(project: Project) -> Iterator[None]:
    """A load for as long as the block lasts; afterwards everything must be where it has to be."""
    project.variables = {**project.variables, "TRAFFIC_RATE": str(RATE)}
    project.profiles = ("cluster", "traffic")
    project.run("up", "--detach", "--no-build", "traffic")
    yield
    project.run("stop", "traffic")
    say(project.run("logs", "--no-log-prefix", "traffic").splitlines()[-1])
    until(lambda: settled(project), seconds=120, every=2)
    say(project.ops("reconcile").splitlines()[-1])
    nothing_parked = project.ops("parked", "list").splitlines()[-1]
    say(nothing_parked)
    assert nothing_parked == "Nothing is parked."


def all_confirmed(project: Project) -> float:
    """Seconds until orders of several buyers are confirmed that are placed at the same time: of every queue some."""
    began = time.monotonic()
    failed: list[BaseException] = []

    def buy() -> None:
        try:
            confirmed(project.shop())
        except BaseException as error:  # noqa: BLE001 - it belongs to the test's own thread
            failed.append(error)

    buyers = [threading.Thread(target=buy) for _ in range(BUYERS)]
    for buyer in buyers:
        buyer.start()
    for buyer in buyers:
        buyer.join()
    assert not failed, f"{len(failed)} of {BUYERS} orders were not confirmed: {failed[0]}\n{doctor(project)}"
    return time.monotonic() - began


def doctor(project: Project) -> str:
    return project.compose("run", "--rm", "-T", "ops", "doctor").stdout


def most_leading(cluster: Cluster) -> tuple[str, int]:
    leaders = Counter(queue["leader"].removeprefix("rabbit@") for queue in cluster.queues("rabbitmq"))
    return leaders.most_common(1)[0]


def settled(project: Project) -> bool:
    """Whether `reconcile` finds every message where it must be."""
    return project.compose("run", "--rm", "-T", "ops", "reconcile").returncode == 0
