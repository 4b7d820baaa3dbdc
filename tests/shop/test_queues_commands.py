"""`./ordersaga queues`, `up` and `doctor` over the shop's groups."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from devstack import steps
from devstack.cli import main
from devstack.environment import Environments
from devstack.external_servers import ExternalServers
from devstack.processes import GROUPS
from devstack.state import State
from ordersaga.broker import provisioning as topology
from ordersaga.broker.topology import Group, change_of
from ordersaga.runtime.settings import url_variable
from shop import services
from tests.support.broker import TestBroker
from tests.support.databases import Databases
from tests.support.doctor import found_on_broker

STOCK = "inventory_service"
ALL_GROUPS = {each.group: each.consumer_group for each in services}


@pytest.fixture
def run(database: Databases, broker: TestBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """`run("show")` as a person would, with all servers given in the environment."""
    for group in GROUPS:
        monkeypatch.setenv(url_variable(group), database(group).owner_url)
    monkeypatch.setenv("AMQP_URL", broker.url)

    def run(*arguments: str, expect: int = 0) -> Any:
        result = CliRunner().invoke(main, ["queues", *arguments, "--json", "--state", str(tmp_path)])
        assert result.exit_code == expect, result.output
        return json.loads(result.stdout)

    return run


def test_the_commands_show_and_change_the_queues_of_a_group(broker: TestBroker, run: Callable[..., Any]) -> None:
    broker.remember(*(Group(name, (), 16) for name in GROUPS))
    assert [group["queues"] for group in run("show", expect=1)["groups"]] == [0, 0, 0, 0]
    topology.declare(broker.url, ALL_GROUPS, None)
    assert [group["queues"] for group in run("show")["groups"]] == [2, 2, 2, 2]
    assert run("set", "4", "--group", STOCK) == {"groups": [{"group": STOCK, "queues": 4}]}
    assert [group["queues"] for group in run("show")["groups"]] == [2, 2, 4, 2]
    assert run("show", "--group", STOCK)["groups"][0]["ready"] == 0


def test_up_and_show_say_that_a_change_is_not_complete_until_it_is(
    broker: TestBroker, run: Callable[..., Any], tmp_path: Path
) -> None:
    broker.remember(*(Group(name, (), 16) for name in GROUPS))
    topology.declare(broker.url, ALL_GROUPS, None)
    with broker.channel() as channel:
        channel.exchange_declare(change_of(STOCK), "fanout", durable=True)
    state, given, warned = State(tmp_path).create(), ExternalServers.from_environment(os.environ), list[str]()
    steps.declare(state, Environments(state, given), lambda: False, warned.append)
    assert [f"ordersaga queues set N --group {STOCK}" in line for line in warned] == [True]
    assert [group["changing"] for group in run("show")["groups"]] == [name == STOCK for name in GROUPS]
    run("set", "2", "--group", STOCK)
    assert not any(group["changing"] for group in run("show")["groups"])
    steps.declare(state, Environments(state, given), lambda: False, warned.append)
    assert len(warned) == 1


def test_the_doctor_names_bindings_of_a_reaction_that_was_removed(broker: TestBroker) -> None:
    now = ALL_GROUPS[STOCK](2)
    older = Group(STOCK, (*now.contracts, "orders.gone.v1"), 2)
    broker.remember(older)
    topology.declare(broker.url, {STOCK: lambda _: older}, None)
    stock = next(service for service in services if service.group == STOCK)
    [stale] = found_on_broker(broker.url, [stock])["stale binding"]
    assert f"{STOCK} is still bound to orders.gone.v1" in stale.what
    topology.prune(broker.url, [now], ())
    assert "stale binding" not in found_on_broker(broker.url, [stock])
