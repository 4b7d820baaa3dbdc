"""What keeps the broker from confirming is named: an alarm by its name, a queue by its name."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from devstack.ports import choose
from ordersaga.broker.topology import EVENTS, Group
from ordersaga.relay.status import relay_status
from tests.conftest import AnyServers
from tests.support.broker import TestBroker
from tests.support.databases import Database
from tests.support.refusals import rabbitmqctl
from tests.support.relays import Relays, all_published, announce, relays_of
from tests.support.wait import until

LISTENER = Group("listener", ("test.happened.v1",), 2)
STRANGER = "stranger"
IMPATIENT = """
from ordersaga.relay import daemon as __main__
from ordersaga.relay import stall
from ordersaga.service import Service
class Listener(Service):
    contracts = ["test.happened.v1"]
stall.UNCONFIRMED_SECONDS = 1.0
service = Listener("counting", group="listener")
service.announcements._contracts["test.happened.v1"] = object
__main__.main(["counting"], [service])
"""


@pytest.fixture
def relays(outbox: Database, broker: TestBroker, servers: AnyServers) -> Iterator[Relays]:
    broker.declare(LISTENER)
    with relays_of(outbox, servers.amqp_url("relay")) as relays:
        yield relays


def ready(port: int) -> list[str]:
    """The problems that the relay's /readyz names."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            found: list[str] = json.load(answer)["problems"]
    except urllib.error.HTTPError as refused:
        found = json.load(refused)["problems"]
    return found


def status(outbox: Database) -> str:
    return relay_status("counting", outbox.relay_url, 0.1).problem or ""


@contextmanager
def suspended(servers: AnyServers, queue: str) -> Iterator[None]:
    """The quorum queue answers nobody; the others do."""
    process = f'whereis(list_to_atom("ordersaga_{queue}"))'
    rabbitmqctl(servers, "eval", f"sys:suspend({process}).")
    try:
        yield
    finally:
        rabbitmqctl(servers, "eval", f"sys:resume({process}).")


@contextmanager
def low_on_disk(servers: AnyServers) -> Iterator[None]:
    """The broker takes no messages from publishers."""
    rabbitmqctl(servers, "set_disk_free_limit", "1000000GB")
    try:
        yield
    finally:
        rabbitmqctl(servers, "set_disk_free_limit", "1MB")


@contextmanager
def bound_by_a_stranger(broker: TestBroker) -> Iterator[None]:
    with broker.channel() as channel:
        channel.queue_declare(STRANGER, durable=True, arguments={"x-queue-type": "quorum"})
        channel.queue_bind(STRANGER, EVENTS, routing_key="#")
    try:
        yield
    finally:
        with broker.channel() as channel:
            channel.queue_delete(STRANGER)


def announce_keys(outbox: Database) -> None:
    with outbox.connect() as connection, connection.transaction():
        for key in range(40):
            announce(connection, str(key), 1)


def test_an_alarm_of_the_broker_is_told_by_its_name_and_no_queue_is_blamed(
    outbox: Database, relays: Relays, servers: AnyServers
) -> None:
    port = choose(set())
    relay = relays.start(script=IMPATIENT, health_port=port)
    relays.wait_for_leader(relay)
    with low_on_disk(servers):
        announce_keys(outbox)
        said = "RabbitMQ blocks publishers: low on disk. It takes no message of counting"
        until(lambda: status(outbox) == said)
        assert ready(port) == [said]
        assert said in relay.log()
    until(lambda: all_published(outbox) and status(outbox) == "")
    assert ready(port) == []
    assert "queue" not in relay.log()


def test_a_queue_that_does_not_confirm_is_told_by_its_name_until_it_does(
    outbox: Database, relays: Relays, servers: AnyServers
) -> None:
    port = choose(set())
    relays.start(script=IMPATIENT, health_port=port)
    announce_keys(outbox)
    until(lambda: all_published(outbox))
    with suspended(servers, "listener.1"):
        announce_keys(outbox)
        until(lambda: status(outbox).endswith("No answer from queue listener.1"))
        until(lambda: "unconfirmed: routing keys test.happened.v1.01, " in status(outbox))
        [problem] = ready(port)
        assert problem == status(outbox)
        assert "confirmed nothing of counting since" in problem
    until(lambda: all_published(outbox) and status(outbox) == "")
    assert ready(port) == []


def test_when_every_known_queue_answers_the_queue_of_a_stranger_is_named_as_the_cause(
    outbox: Database, broker: TestBroker, relays: Relays, servers: AnyServers
) -> None:
    relay = relays.start(script=IMPATIENT)
    relays.wait_for_leader(relay)
    with bound_by_a_stranger(broker), suspended(servers, STRANGER):
        announce_keys(outbox)
        until(lambda: "another queue that is bound to `events`" in status(outbox))
        assert "An answer from queues listener.0, listener.1" in status(outbox)
    until(lambda: all_published(outbox) and status(outbox) == "")
