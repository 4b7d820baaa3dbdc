"""What keeps the broker from confirming is named: an alarm by its name, a queue by its name."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from devstack.ports import choose
from ordersaga.broker.topology import Group, side_exchange_of
from ordersaga.relay.status import relay_status
from ordersaga.service import Service
from tests.conftest import AnyServers
from tests.support.broker import TestBroker
from tests.support.databases import Database
from tests.support.doctor import found_on_broker
from tests.support.refusals import rabbitmqctl
from tests.support.relays import Relays, all_published, announce, relays_of
from tests.support.stuck import bound_by, ready, suspended
from tests.support.wait import until

STRANGER = "stranger"
LISTENER = Group("listener", ("test.happened.v1",), 2)
IMPATIENT = """
from ordersaga.relay import daemon as __main__
from ordersaga.relay import stall
from ordersaga.service import Service
class Listener(Service):
    contracts = ["test.happened.v1"]
stall.UNCONFIRMED_SECONDS = 1.0
service = Listener("counting", group="listener")
service.announcements._contracts["test.happened.v1"] = type("Happened", (), {"NAME": "test.happened.v1"})
__main__.main(["counting"], [service])
"""


@pytest.fixture
def relays(outbox: Database, broker: TestBroker, servers: AnyServers) -> Iterator[Relays]:
    """A relay on a topology of before, which has no exchange for each group: it cannot publish around a queue."""
    broker.declare(LISTENER)
    with broker.channel() as channel:
        channel.exchange_delete(side_exchange_of(LISTENER.name))
    with relays_of(outbox, servers.amqp_url("relay")) as relays:
        yield relays


def status(outbox: Database) -> str:
    return relay_status("counting", outbox.relay_url, 0.1).problem or ""


@contextmanager
def low_on_disk(servers: AnyServers) -> Iterator[None]:
    """The broker takes no messages from publishers."""
    rabbitmqctl(servers, "set_disk_free_limit", "1000000GB")
    try:
        yield
    finally:
        rabbitmqctl(servers, "set_disk_free_limit", "1MB")


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
        [named] = found_on_broker(servers.amqp_url("provisioner"))["blocked publishers"]
        assert named.what.startswith("RabbitMQ takes no message from anybody: low on disk")
        assert ready(port)[0] == [said]
        assert said in relay.log()
    until(lambda: all_published(outbox) and status(outbox) == "")
    assert ready(port)[0] == []
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
        listener = Service("listener", database="counting")
        [named] = found_on_broker(servers.amqp_url("provisioner"), [listener])["silent queue"]
        assert named.what.startswith("the queue listener.1 gives no answer")
        until(lambda: "unconfirmed: routing keys test.happened.v1.01, " in status(outbox))
        [problem] = ready(port)[0]
        assert problem == status(outbox)
        assert "confirmed nothing of counting since" in problem
        until(lambda: "events.listener is missing: run `ordersaga topology`" in status(outbox))
    until(lambda: all_published(outbox) and status(outbox) == "")
    assert ready(port)[0] == []


def test_when_every_known_queue_answers_the_queue_of_a_stranger_is_named_as_the_cause(
    outbox: Database, broker: TestBroker, relays: Relays, servers: AnyServers
) -> None:
    relay = relays.start(script=IMPATIENT)
    relays.wait_for_leader(relay)
    with bound_by(broker, STRANGER), suspended(servers, STRANGER):
        announce_keys(outbox)
        until(lambda: "another queue that is bound to `events`" in status(outbox))
        assert "An answer from queues listener.0, listener.1" in status(outbox)
    until(lambda: all_published(outbox) and status(outbox) == "")
