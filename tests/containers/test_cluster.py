"""Three nodes of RabbitMQ: orders go on within seconds when a node is killed, and nothing is lost."""

import json
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from devstack.demo.shop import Shop
from tests.containers.project import Project
from tests.support.wait import until

pytestmark = pytest.mark.timeout(1200)
PROFILES = ("cluster",)
NODES = ("rabbitmq", "rabbitmq-2", "rabbitmq-3")
RATE = 5


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


@pytest.fixture(scope="module")
def cluster(project: Project) -> Cluster:
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
    project.variables = {**project.variables, "TRAFFIC_RATE": str(RATE)}
    project.profiles = ("cluster", "traffic")
    project.run("up", "--detach", "--no-build", "traffic")
    for when in ("at first", "later"):
        say(f"{when} an order is {confirmed(shop)}")
    for _ in range(2):
        victim, leads = most_leading(cluster)
        cluster.kill(victim)
        say(f"{victim}, the leader of {leads} queues, is killed; an order is {confirmed(shop)}")
        say(f"  the next is {confirmed(shop)}")
        cluster.start(victim)
        until(lambda: not project.unready(), seconds=120, every=1)
        until(lambda: all(len(queue["online"]) == len(NODES) for queue in cluster.queues("rabbitmq")), seconds=60)
        say(f"{victim} is back with all its queues; an order is {confirmed(shop)}")
    project.run("stop", "traffic")
    say(project.run("logs", "--no-log-prefix", "traffic").splitlines()[-1])
    until(lambda: settled(project), seconds=120, every=2)
    say(project.ops("reconcile").splitlines()[-1])
    say(project.ops("parked", "list").splitlines()[-1])


def most_leading(cluster: Cluster) -> tuple[str, int]:
    leaders = Counter(queue["leader"].removeprefix("rabbit@") for queue in cluster.queues("rabbitmq"))
    return leaders.most_common(1)[0]


def settled(project: Project) -> bool:
    """Whether `reconcile` finds every message where it must be."""
    return project.compose("run", "--rm", "-T", "ops", "reconcile").returncode == 0
