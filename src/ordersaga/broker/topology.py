"""The topology: exchanges, queues and bindings on RabbitMQ, and how to connect to it."""

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pika
from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection
from pika.exceptions import ChannelClosedByBroker

from ordersaga.envelope.message import PARTITIONS
from ordersaga.envelope.versions import every_version_of
from ordersaga.runtime.settings import amqp_urls

EVENTS = "events"
EVERY_CONTRACT = "*.*.*"
"""In place of the contracts of a group that receives all of them."""
DEAD_LETTERS = "dead_letters"
DELIVERY_LIMIT = 5
"""Deliveries before the broker dead-letters a message; RabbitMQ 3.10 breaks order without a limit."""
NO_LIMIT = 1_000_000
"""Deliveries of a dead letter before the broker drops it for good. RabbitMQ 4 has a default of 20, and -1 means none;
RabbitMQ 3 reads -1 as 0 (https://github.com/Particular/NServiceBus.RabbitMQ/issues/1828). Both accept this number."""

QUEUE_COUNTS = (1, 2, 4, 8, 16)
DEFAULT_QUEUES = 2
ACCESS_REFUSED = 403
NOT_FOUND = 404
PRECONDITION_FAILED = 406


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group: the contracts that it receives, and the number of its queues."""

    name: str
    contracts: tuple[str, ...]
    """Names of contracts, with `*` in place of the version for all versions, or EVERY_CONTRACT."""
    queues: int

    def __post_init__(self) -> None:
        if self.queues not in QUEUE_COUNTS:
            raise ValueError(f"{self.name} cannot have {self.queues} queues; choose one of {QUEUE_COUNTS}")

    @property
    def queue_names(self) -> list[str]:
        return [f"{self.name}.{number}" for number in range(self.queues)]

    @property
    def dead_letters(self) -> str:
        return dead_letters_of(self.name)

    def bindings(self) -> Iterator[tuple[str, str]]:
        """(queue, routing key) for each contract and partition; a partition has the same queue in every contract."""
        for contract in self.contracts:
            for partition in range(PARTITIONS):
                yield self.queue_names[partition % self.queues], f"{contract}.{partition:02d}"


def receives(contracts: Iterable[str], contract: str) -> bool:
    """Whether a group with these contracts receives this one."""
    return not {contract, every_version_of(contract), EVERY_CONTRACT}.isdisjoint(contracts)


def group_of(queue: str) -> str:
    """The group of `<group>.<number>`."""
    return queue.rpartition(".")[0]


def dead_letters_of(group: str) -> str:
    return f"{group}.{DEAD_LETTERS}"


def side_exchange_of(group: str) -> str:
    """The exchange that reaches this group alone: a relay uses it while a queue of another group does not answer, and
    a seeding publishes history to it."""
    return f"{EVENTS}.{group}"


def exchanges_of(group: str) -> tuple[str, str]:
    """The exchanges that the queues of a group are bound to, each with the same routing keys."""
    return EVENTS, side_exchange_of(group)


def queues_of(connection: BlockingConnection, group: str) -> list[str]:
    """The queues of a group on the broker: `<group>.0` and so on, up to the first that is missing."""
    found: list[str] = []
    with suppress_refusal(connection, NOT_FOUND) as channel:
        for number in range(max(QUEUE_COUNTS)):
            channel.queue_declare(f"{group}.{number}", passive=True)
            found.append(f"{group}.{number}")
    return found


def change_of(group: str) -> str:
    """Name of an exchange that marks a change of the group's queues: it exists until the change is complete."""
    return f"queues-set.{group}"


def is_changing(connection: BlockingConnection, group: str) -> bool:
    """Whether a change of the group's queues is under way or was interrupted."""
    return exchange_exists(connection, change_of(group))


def seeding_of(group: str) -> str:
    """Name of an exchange that marks the seeding of the group: it exists until the group is bound to `events`."""
    return f"seeding.{group}"


def is_being_seeded(connection: BlockingConnection, group: str) -> bool:
    """Whether the group's seeding is under way or was interrupted: only the seeding publishes to its queues."""
    return exchange_exists(connection, seeding_of(group))


def exchange_exists(connection: BlockingConnection, name: str) -> bool:
    """Whether the broker has an exchange of this name."""
    with suppress_refusal(connection, NOT_FOUND) as channel:
        channel.exchange_declare(name, passive=True)
        return True
    return False


def queue_exists(connection: BlockingConnection, name: str) -> bool:
    """Whether the broker has a queue of this name."""
    with suppress_refusal(connection, NOT_FOUND) as channel:
        channel.queue_declare(name, passive=True)
        return True
    return False


@contextmanager
def suppress_refusal(connection: BlockingConnection, code: int) -> Iterator[BlockingChannel]:
    """Open a channel for the block, and end the block silently when the broker refuses something with this code."""
    channel = connection.channel()
    try:
        yield channel
    except ChannelClosedByBroker as error:
        if error.reply_code != code:
            raise
    if channel.is_open:
        channel.close()


STACK_SECONDS = 15.0
"""In which a node must have answered all of the handshake."""


VANISHED = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 2, "TCP_USER_TIMEOUT": 15_000}
"""After 15 s without a word from the kernel of a node, its connection is lost; two heartbeats are missed after 60 s."""


def parameters(amqp_url: str, name: str) -> list[pika.URLParameters]:
    """Connection parameters, to be tried in turn; the broker's own tools show the connection as `name`.

    The nodes of a cluster are in random order, so that connections spread over them.
    """
    nodes = [pika.URLParameters(url) for url in amqp_urls(amqp_url)]
    for node in nodes:
        node.heartbeat = 30
        node.tcp_options = dict(VANISHED)
        node.blocked_connection_timeout = 60
        node.socket_timeout = 10
        node.stack_timeout = STACK_SECONDS
        node.client_properties = {"connection_name": name}
    random.shuffle(nodes)
    return nodes


def declare(channel: BlockingChannel, groups: Iterable[Group]) -> None:
    """Declare the whole topology; declaring it again changes nothing.

    Raises:
        pika.exceptions.ChannelClosedByBroker: an exchange or queue of the same name exists with other arguments.
    """
    channel.exchange_declare(EVENTS, "topic", durable=True)
    channel.exchange_declare(DEAD_LETTERS, "direct", durable=True)
    for group in groups:
        declare_group(channel, group)


def declare_group(channel: BlockingChannel, group: Group) -> None:
    declare_dead_letters(channel, group)
    # In reverse: a worker counts the queues up to the first missing one, and must not find only some of them.
    for queue in reversed(group.queue_names):
        declare_queue(channel, group, queue)
    channel.exchange_declare(side_exchange_of(group.name), "topic", durable=True)
    for queue, routing_key in group.bindings():
        bind(channel, group.name, queue, routing_key)


def bind(channel: BlockingChannel, group: str, queue: str, routing_key: str) -> None:
    for exchange in exchanges_of(group):
        channel.queue_bind(queue, exchange, routing_key=routing_key)


def unbind(channel: BlockingChannel, group: str, queue: str, routing_key: str) -> None:
    """A binding that does not exist is none of the broker's errors; neither is a missing exchange."""
    for exchange in exchanges_of(group):
        channel.queue_unbind(queue, exchange, routing_key=routing_key)


def declare_dead_letters(channel: BlockingChannel, group: Group) -> None:
    """Declare the group's dead-letter queue; one that an older version declared without a limit stays as it is."""
    with suppress_refusal(channel.connection, PRECONDITION_FAILED) as other:
        arguments = {"x-queue-type": "quorum", "x-delivery-limit": NO_LIMIT}
        other.queue_declare(group.dead_letters, durable=True, arguments=arguments)
    channel.queue_bind(group.dead_letters, DEAD_LETTERS, routing_key=group.name)


def declare_queue(channel: BlockingChannel, group: Group, queue: str) -> None:
    channel.queue_declare(
        queue,
        durable=True,
        arguments={
            "x-queue-type": "quorum",
            "x-single-active-consumer": True,
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-dead-letter-exchange": DEAD_LETTERS,
            "x-dead-letter-routing-key": group.name,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        },
    )
