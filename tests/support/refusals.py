"""A topology in which two contracts are refused until the test heals it, and what the relay has kept of them."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from devstack.servers.rabbitmq_install import server_program
from ordersaga.broker import topology
from ordersaga.envelope.message import PARTITIONS
from tests.conftest import AnyServers
from tests.support.broker import TestBroker
from tests.support.containers import ContainerServers
from tests.support.databases import Database
from tests.support.relays import EVERYTHING

HEARD = "test.happened.v1"
UNBOUND = "test.unbound.v1"
"""Returned: no queue is bound."""
FULL = "test.full.v1"
"""Nacked: its only queue is full."""
LISTENER = topology.Group(EVERYTHING.name, (HEARD,), 1)
USUAL_LIMIT = 128 * 1024 * 1024
QUEUE = LISTENER.queue_names[0]


def bind(broker: TestBroker, contract: str) -> None:
    """From now on the listener hears this contract too."""
    with broker.channel() as channel:
        for partition in range(PARTITIONS):
            channel.queue_bind(QUEUE, topology.EVENTS, routing_key=f"{contract}.{partition:02d}")


def unbind(broker: TestBroker, contract: str) -> None:
    with broker.channel() as channel:
        for partition in range(PARTITIONS):
            channel.queue_unbind(QUEUE, topology.EVENTS, routing_key=f"{contract}.{partition:02d}")


def fill_up(broker: TestBroker) -> None:
    """A queue that takes nothing is bound for the contract FULL."""
    with broker.channel() as channel:
        channel.queue_declare("full", durable=True, arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
        channel.queue_bind("full", topology.EVENTS, routing_key=f"{FULL}.*")


def make_room(broker: TestBroker) -> None:
    with broker.channel() as channel:
        channel.queue_delete("full")


@contextmanager
def refusing(broker: TestBroker) -> Iterator[None]:
    """Only the contract HEARD is heard."""
    broker.declare(LISTENER)
    fill_up(broker)
    try:
        yield
    finally:
        make_room(broker)


@contextmanager
def broker_takes_at_most(servers: AnyServers, size: int) -> Iterator[None]:
    """The broker closes channels that offer it a larger body; channels that are open already keep their limit."""
    set_limit(servers, size)
    try:
        yield
    finally:
        set_limit(servers, USUAL_LIMIT)


def set_limit(servers: AnyServers, size: int) -> None:
    """RabbitMQ 3.10 reads the setting, RabbitMQ 4 what it has made of it at its start."""
    read = f"application:set_env(rabbit, max_message_size, {size}), persistent_term:put(max_message_size, {size})."
    rabbitmqctl(servers, "eval", read)


def rabbitmqctl(servers: AnyServers, *command: str) -> None:
    """Run an operator's command of the broker."""
    if isinstance(servers, ContainerServers):
        done = servers.rabbitmq.container.exec(["rabbitmqctl", *command])
        assert done.exit_code == 0, done.output
    else:
        environment = servers.rabbitmq._environment()
        program = Path(server_program()).with_name("rabbitmqctl")
        node = environment["RABBITMQ_NODENAME"]
        subprocess.run([program, "-n", node, *command], env=environment, check=True, stdout=subprocess.DEVNULL)


def undeliverable(database: Database, columns: str = "key, sequence, kind") -> list[tuple[Any, ...]]:
    return database.rows(f"select {columns} from undeliverable order by position")  # noqa: S608 - of the test's own
