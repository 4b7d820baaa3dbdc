"""Declaring the topology over what an older version has left."""

import json
import subprocess
from collections.abc import Iterator
from functools import partial
from itertools import product

import pytest
from click.testing import CliRunner
from pika.exceptions import ChannelClosedByBroker, UnroutableError

from ordersaga.broker import provisioning, topology
from ordersaga.broker.change import QueueChange
from ordersaga.cli.main import main
from ordersaga.envelope.message import PARTITIONS
from tests.conftest import AnyServers
from tests.support.broker import TestBroker
from tests.support.counting import GROUP, Counted, CountKept, service
from tests.support.ordersaga_command import ordersaga
from tests.support.wait import until

APP = ("--app", "tests.support.counting")
HAPPENED = ("test.happened.v1",)


@pytest.fixture
def older(broker: TestBroker) -> Iterator[TestBroker]:
    """A broker whose exchange `events` has an alternate exchange."""
    with broker.channel() as channel:
        channel.exchange_delete(topology.EVENTS)
        channel.exchange_declare(topology.EVENTS, "topic", durable=True, arguments={"alternate-exchange": "unrouted"})
    yield broker
    with broker.channel() as channel:
        channel.exchange_delete(topology.EVENTS)
    broker.declare()


def declare(servers: AnyServers, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ("--app", "tests.support.counting", "topology", *arguments)
    return ordersaga(*command, AMQP_URL=servers.amqp_url("provisioner"))


def test_dead_letters_are_not_dropped_after_twenty_returns_as_rabbitmq_4_would(broker: TestBroker) -> None:
    kept = topology.Group("kept", ("*.*.*",), 1)
    broker.declare(kept)
    with broker.channel() as channel:
        channel.confirm_delivery()
        channel.basic_publish(topology.DEAD_LETTERS, kept.name, b"", mandatory=True)
        for _ in range(30):
            method = until(lambda: channel.basic_get(kept.dead_letters)[0])
            channel.basic_nack(method.delivery_tag)
    until(lambda: broker.depth(kept.dead_letters) == 1)
    limit = rf"inequivalent arg 'x-delivery-limit' .* current is the value '{topology.NO_LIMIT}'"
    with broker.channel() as channel, pytest.raises(ChannelClosedByBroker, match=limit):
        channel.queue_declare(kept.dead_letters, durable=True, arguments={"x-queue-type": "quorum"})


def test_dead_letters_of_an_older_version_stay_as_they_are(broker: TestBroker) -> None:
    kept = topology.Group("kept", ("*.*.*",), 1)
    with broker.channel() as channel:
        channel.queue_declare(kept.dead_letters, durable=True, arguments={"x-queue-type": "quorum"})
    broker.declare(kept)
    with broker.channel() as channel:
        channel.confirm_delivery()
        channel.basic_publish(topology.DEAD_LETTERS, kept.name, b"", mandatory=True)
    until(lambda: broker.depth(kept.dead_letters) == 1)


def test_an_exchange_of_an_older_version_is_named_and_replaced_when_told_to_and_no_queue_loses_anything(
    older: TestBroker, servers: AnyServers
) -> None:
    refused = declare(servers, GROUP)
    assert refused.returncode == 1
    assert "Run this once with --replace-events" in refused.stderr
    kept = topology.Group("kept", ("*.*.*",), 1)
    with older.channel() as channel:
        topology.declare_group(channel, kept)
        channel.confirm_delivery()
        channel.basic_publish(topology.EVENTS, "test.happened.v1.00", b"", mandatory=True)
    assert declare(servers, "--replace-events").returncode == 0
    assert declare(servers, GROUP).returncode == 0
    older.declare(kept)
    assert older.depth("kept.0") == 1


def publish(broker: TestBroker, contract: str, exchange: str = topology.EVENTS) -> None:
    """Raises UnroutableError when no queue is bound."""
    with broker.channel() as channel:
        channel.confirm_delivery()
        channel.basic_publish(exchange, f"{contract}.01", b"", mandatory=True)


def test_the_exchange_of_a_group_reaches_all_of_its_queues_and_no_others_also_after_their_number_has_changed(
    broker: TestBroker,
) -> None:
    one, more = (topology.Group("one", HAPPENED, queues) for queues in (2, 4))
    other = topology.Group("other", HAPPENED, 2)
    broker.declare(one, other)
    broker.remember(more)
    QueueChange([more], broker.url, {}, {}, 10, lambda _: None).run()
    with broker.channel() as channel:
        channel.confirm_delivery()
        for partition in range(PARTITIONS):
            key = f"{HAPPENED[0]}.{partition:02d}"
            channel.basic_publish(topology.side_exchange_of("one"), key, b"", mandatory=True)
    until(lambda: [broker.depth(queue) for queue in more.queue_names] == [PARTITIONS / 4] * 4)
    assert [broker.depth(queue) for queue in other.queue_names] == [0, 0]


def test_bindings_of_a_reaction_that_was_removed_are_named_and_pruned_when_told_to(
    broker: TestBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMQP_URL", broker.url)
    run = partial(CliRunner().invoke, main)
    gone = "test.gone.v1"
    older = topology.Group(GROUP, (*service.contracts, gone), 2)
    broker.remember(older)
    provisioning.declare(broker.url, {GROUP: lambda _: older}, None)
    named = run([*APP, "topology"])
    assert f"{GROUP} is still bound to {gone}" in named.stderr
    assert "topology --prune` once no worker of the older code runs" in named.stderr
    publish(broker, gone)
    assert f"is still bound to {gone}" in run([*APP, "queues", "show"]).stdout
    [status] = json.loads(run([*APP, "queues", "show", "--json"]).stdout)["groups"]
    assert status["stale_contracts"] == [gone]
    with broker.channel() as channel:
        channel.queue_bind(f"{GROUP}.1", topology.EVENTS, routing_key=f"{CountKept.NAME}.01")  # recorded nowhere
    pruned = json.loads(run([*APP, "topology", "--prune", "--json"]).stdout)
    assert pruned == {"queues": {GROUP: 2}, "interrupted": [], "stale_contracts": {}, "pruned": {GROUP: [gone]}}
    for contract, exchange in product((gone, CountKept.NAME), topology.exchanges_of(GROUP)):
        with pytest.raises(UnroutableError):
            publish(broker, contract, exchange)
    publish(broker, Counted.NAME)
    assert run([*APP, "topology"]).stderr == ""
    assert provisioning.stale_bindings(broker.url, [older]) == {}
