"""AMQP_URL may name each node of a cluster: while one is away, a process connects to another."""

import socket

import pytest
from pika.exceptions import AMQPError

from devstack.ports import LOOPBACK, choose
from ordersaga.broker import topology
from ordersaga.broker.topology import Group, parameters
from ordersaga.consumer.intake import Intake
from ordersaga.diagnosis.broker import asked as broker_questions
from ordersaga.relay.publisher import BrokerUnavailable, Publisher
from ordersaga.runtime import telemetry
from ordersaga.runtime.settings import MissingSetting, Settings, amqp_urls
from tests.support.broker import TestBroker
from tests.support.doctor import found_on_broker
from tests.support.wait import until

LISTENER = Group("listener", ("test.happened.v1",), 2)


@pytest.fixture
def nodes(broker: TestBroker) -> str:
    """Two nodes, of which the first is away."""
    broker.declare(LISTENER)
    return f"amqp://nobody:secret@{LOOPBACK}:{choose(set())}/, {broker.url}"


def test_a_worker_connects_to_a_node_that_answers_whichever_comes_first(nodes: str) -> None:
    for _ in range(4):
        intake = Intake(LISTENER.name, nodes)
        assert intake.queues == LISTENER.queue_names
        intake.close()


def test_a_relay_connects_to_the_next_node_after_one_that_is_away(nodes: str) -> None:
    publisher = Publisher(nodes, "two nodes")
    until(lambda: connects(publisher), seconds=20)
    publisher.close()


def test_a_node_that_has_vanished_is_given_up_before_two_heartbeats_but_a_relay_waits_for_one_that_reads_nothing() -> (
    None
):
    [node] = parameters(f"amqp://nobody:secret@{LOOPBACK}/", "a worker")
    probes = node.tcp_options["TCP_KEEPIDLE"] + node.tcp_options["TCP_KEEPINTVL"] * node.tcp_options["TCP_KEEPCNT"]
    assert max(probes, node.tcp_options["TCP_USER_TIMEOUT"] / 1000) < node.heartbeat
    relay = next(Publisher(f"amqp://nobody:secret@{LOOPBACK}/", "a relay")._nodes)
    assert "TCP_USER_TIMEOUT" not in relay.tcp_options


def connects(publisher: Publisher) -> bool:
    try:
        publisher.connect()
    except BrokerUnavailable:
        return False
    return publisher.is_open


def test_connections_spread_over_the_nodes() -> None:
    urls = ",".join(f"amqp://user:a,b@node-{number}:5672/shop" for number in range(3))
    first = [parameters(urls, "any")[0] for _ in range(100)]
    assert {node.host for node in first} == {"node-0", "node-1", "node-2"}
    assert {node.credentials.password for node in first} == {"a,b"}


def test_each_of_the_urls_must_be_one_of_a_broker() -> None:
    with pytest.raises(MissingSetting, match="AMQP_URL is no URL of a broker"):
        _ = Settings(amqp_url="amqp://one/,amqp://user@two/").broker_url


@pytest.mark.parametrize("text", ["amqp://one/shop,", " ,amqp://one/shop , ", "amqp://one/shop,,"])
def test_a_comma_too_many_names_no_other_node(text: str) -> None:
    assert amqp_urls(text) == ["amqp://one/shop"]
    assert len(amqp_urls(f"{text},{text}")) == 2


def test_a_node_that_hangs_is_away_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its kernel takes the connection: pika's error for that is none of its AMQP errors."""
    monkeypatch.setattr(topology, "STACK_SECONDS", 0.2)
    monkeypatch.setattr(broker_questions, "CONNECT_SECONDS", 0.2)
    with socket.create_server((LOOPBACK, 0)) as hanging:
        url = f"amqp://nobody:secret@{LOOPBACK}:{hanging.getsockname()[1]}/"
        with pytest.raises(AMQPError, match="Timeout"):
            Intake(LISTENER.name, url)
        [found] = found_on_broker(url)["does not answer"]
        assert "Timeout" in found.what


def test_spans_name_a_single_broker_and_no_node_of_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    named = []
    monkeypatch.setattr("ordersaga.otel.setup.set_up", lambda process, environment, url, group: named.append(url))
    for url in ("amqp://one/", "amqp://one/,amqp://two/"):
        telemetry.begin("any", url)
    assert named == ["amqp://one/", ""]
