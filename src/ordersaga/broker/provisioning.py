"""Provisioning: declares the exchanges, queues and bindings before anything is published."""

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import closing
from typing import NamedTuple

import pika
from pika.exceptions import ChannelClosedByBroker

from ordersaga.broker import bound_contracts, seeding, topology
from ordersaga.broker.connecting import connect


class OtherArguments(Exception):
    """The exchange `events` exists with other arguments than this version declares."""


class OtherQueues(ValueError):
    """A group exists with another number of queues than the one to declare."""


class Declared(NamedTuple):
    """The declared groups; `interrupted` names those that were skipped, because a change of their queues or their
    seeding is not complete."""

    groups: list[topology.Group]
    interrupted: list[str]


GroupOf = Callable[[int], topology.Group]
"""Makes a consumer group of so many queues."""


def queues_to_declare(found: int, wanted: int | None, group: str) -> int:
    """The number of queues that exist, else the number wanted. Raises OtherQueues when both are given and differ."""
    if found and wanted and found != wanted:
        raise OtherQueues(
            f"{group} has {found} queues and QUEUES_PER_GROUP is {wanted}. Run `ordersaga queues set {wanted}`, "
            f"which waits until they are empty, or set QUEUES_PER_GROUP to {found} or to nothing"
        )
    return found or wanted or topology.DEFAULT_QUEUES


def declare(
    amqp_url: str,
    groups: Mapping[str, GroupOf],
    wanted: int | None,
    replace_events: bool = False,
    to_seed: Collection[str] = (),
) -> Declared:
    """Declare the topology of all groups but those whose queues are being changed, or that are being seeded.

    A change that is not complete leaves every partition bound, so it works and keeps order. Another binding, before the
    queues are drained, would let a message overtake messages of its key that are still in another queue.

    Args:
        amqp_url: of a user who may declare.
        replace_events: delete the exchange `events`, and those of the groups, first.
        to_seed: names of groups that receive nothing before they are seeded, if they have no queues yet.

    Raises:
        OtherQueues: a group exists with another number of queues, or is being changed and would lose its bindings;
            nothing was declared.
        OtherArguments: the exchange exists with other arguments.
    """
    connection = connect(topology.parameters(amqp_url, "topology"))
    try:
        found = {name: len(topology.queues_of(connection, name)) for name in groups}
        for name in (name for name in groups if name in to_seed and not found[name]):
            seeding.declare(connection, groups[name](queues_to_declare(0, wanted, name)))
        interrupted = [name for name in groups if is_interrupted(connection, name, found[name])]
        declared = [
            group_of(queues_to_declare(found[name], wanted, name))
            for name, group_of in groups.items()
            if name not in interrupted
        ]
        channel = connection.channel()
        if replace_events:
            require_complete(connection, interrupted)
            for exchange in (topology.EVENTS, *(topology.side_exchange_of(group.name) for group in declared)):
                channel.exchange_delete(exchange)
        for group in declared:
            bound_contracts.record(channel, group, forget_others=replace_events)
        topology.declare(channel, declared)
        for group in declared:
            bound_contracts.unbind_covered(channel, group)
    except ChannelClosedByBroker as error:
        if error.reply_code == topology.PRECONDITION_FAILED and f"for exchange '{topology.EVENTS}'" in error.reply_text:
            raise OtherArguments(error.reply_text) from error
        raise
    finally:
        if connection.is_open:
            connection.close()
    return Declared(declared, interrupted)


def require_complete(connection: pika.BlockingConnection, interrupted: Iterable[str]) -> None:
    """Raises OtherQueues when a group would lose the bindings of a change or a seeding that is not complete."""
    commands = [command_to_complete(name, topology.is_being_seeded(connection, name)) for name in interrupted]
    if commands:
        raise OtherQueues(f"first complete a change or a seeding: {', '.join(commands)}")


def stale_bindings(amqp_url: str, groups: Iterable[topology.Group]) -> dict[str, list[str]]:
    """Group -> contracts that its queues are bound to, though the group does not receive them; without groups that
    have none. Raises AMQPError."""
    with closing(connect(topology.parameters(amqp_url, "topology"))) as connection:
        found = {
            group.name: bound_contracts.stale_contracts(connection, group.name, group.contracts) for group in groups
        }
    return {name: contracts for name, contracts in found.items() if contracts}


def prune(amqp_url: str, groups: Iterable[topology.Group], known: Iterable[str]) -> dict[str, list[str]]:
    """Unbind the queues of these groups from every contract that the group does not receive.

    These are the recorded ones, and those of `known`: an older version recorded none. Messages that wait in the queues
    stay there.

    Returns what `stale_bindings` named before. Raises AMQPError.
    """
    groups = list(groups)
    found = stale_bindings(amqp_url, groups)
    with closing(connect(topology.parameters(amqp_url, "topology"))) as connection:
        channel = connection.channel()
        for group in groups:
            others = {*known, *found.get(group.name, ())} - {*group.contracts}
            bound_contracts.unbind(channel, group, sorted(others))
            bound_contracts.record(channel, group, forget_others=True)
    return found


def is_interrupted(connection: pika.BlockingConnection, group: str, found: int) -> bool:
    is_changing = topology.is_changing(connection, group) or (found > 0 and found not in topology.QUEUE_COUNTS)
    return is_changing or topology.is_being_seeded(connection, group)


def being_seeded(amqp_url: str, groups: Iterable[str]) -> list[str]:
    """Those of these groups that are being seeded. Raises AMQPError."""
    with closing(connect(topology.parameters(amqp_url, "topology"))) as connection:
        return [group for group in groups if topology.is_being_seeded(connection, group)]


def command_to_complete(group: str, is_seeding: bool = False) -> str:
    """The command that completes an interrupted change of the group's queues, or its seeding."""
    if is_seeding:
        return f"`ordersaga seed {group}`"
    return f"`ordersaga queues set N --group {group}`, with N one of {', '.join(map(str, topology.QUEUE_COUNTS))}"
