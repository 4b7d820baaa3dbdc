"""Declaring exchanges, queues and bindings: once, before anything publishes."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import pika
from pika.exceptions import ChannelClosedByBroker

from ordersaga.broker import topology


class OtherArguments(Exception):
    """The exchange `events` is there with other arguments than ours."""


class OtherQueues(ValueError):
    """A group's queues are not those that it is to be declared with."""


class Declared(NamedTuple):
    """`interrupted` are groups that were left as they are: a change of the number of their queues is not complete."""

    groups: list[topology.Group]
    interrupted: list[str]


GroupOf = Callable[[int], topology.Group]
"""Makes a consumer group that is spread over so many queues."""


def queues_to_declare(found: int, wanted: int | None, group: str) -> int:
    """As many as there are, else as many as are wanted. Raises OtherQueues when there are others."""
    if found and wanted and found != wanted:
        raise OtherQueues(
            f"{group} has {found} queues and QUEUES_PER_GROUP is {wanted}. Run `ordersaga queues set {wanted}`, "
            f"which waits until they are empty, or set QUEUES_PER_GROUP to {found} or to nothing"
        )
    return found or wanted or topology.DEFAULT_QUEUES


def declare(amqp_url: str, groups: Mapping[str, GroupOf], wanted: int | None, replace_events: bool = False) -> Declared:
    """Connect as the provisioner and declare the topology of all groups but those whose queues are being changed.

    What a change has left so far works and keeps order, as each partition is bound; another binding, before the
    queues are drained, would let a message overtake those of its key that are still in another queue.

    Raises:
        OtherQueues: a group exists with another number of queues, or is being changed and would lose its bindings;
            nothing was declared.
        OtherArguments: the exchange is there with other arguments.
    """
    connection = pika.BlockingConnection(topology.parameters(amqp_url, "topology"))
    try:
        found = {name: len(topology.queues_of(connection, name)) for name in groups}
        interrupted = [name for name in groups if is_interrupted(connection, name, found[name])]
        declared = [
            group_of(queues_to_declare(found[name], wanted, name))
            for name, group_of in groups.items()
            if name not in interrupted
        ]
        channel = connection.channel()
        if replace_events:
            if interrupted:
                raise OtherQueues(f"first complete a change: {', '.join(map(to_complete, interrupted))}")
            channel.exchange_delete(topology.EVENTS)
        topology.declare(channel, declared)
    except ChannelClosedByBroker as error:
        if error.reply_code == topology.PRECONDITION_FAILED and f"for exchange '{topology.EVENTS}'" in error.reply_text:
            raise OtherArguments(error.reply_text) from error
        raise
    finally:
        if connection.is_open:
            connection.close()
    return Declared(declared, interrupted)


def is_interrupted(connection: pika.BlockingConnection, group: str, found: int) -> bool:
    return topology.is_changing(connection, group) or (found > 0 and found not in topology.QUEUE_COUNTS)


def to_complete(group: str) -> str:
    return f"`ordersaga queues set N --group {group}`, with N one of {', '.join(map(str, topology.QUEUE_COUNTS))}"
