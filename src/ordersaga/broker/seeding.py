"""The bindings of a group that is to be seeded: to its own exchange alone, until it has all of the history."""

import time

from pika.adapters.blocking_connection import BlockingConnection

from ordersaga.broker import bound_contracts
from ordersaga.broker.group_status import group_status
from ordersaga.broker.pause_locks import ChangeFailed
from ordersaga.broker.topology import (
    DEAD_LETTERS,
    EVENTS,
    Group,
    declare_dead_letters,
    declare_queue,
    seeding_of,
    side_exchange_of,
)
from ordersaga.envelope.message import PARTITIONS

SETTLE_SECONDS = 3.0
"""The time in which the broker must notice that the workers have disconnected."""
POLL = 0.05


def unbind_and_empty(broker: BlockingConnection, group: Group, queues: list[str]) -> None:
    """Unbind the queues of a group from `events` and empty them: the seeding publishes these messages again in order.

    Nothing may be published, and no worker may run. Raises ChangeFailed when a worker still holds messages.
    """
    channel = broker.channel()
    channel.exchange_declare(seeding_of(group.name), "fanout", durable=True)
    for contract in sorted({*group.contracts, *bound_contracts.bound_contracts(broker, group.name)}):
        for partition in range(PARTITIONS):
            queue = queues[partition % len(queues)]
            channel.queue_unbind(queue, EVENTS, routing_key=f"{contract}.{partition:02d}")
    await_abandoned(broker, group.name)
    for queue in queues:
        channel.queue_purge(queue)
    channel.close()


def await_abandoned(broker: BlockingConnection, group: str) -> None:
    """Wait until the broker has noticed that no worker is subscribed: then all messages are ready."""
    end = time.monotonic() + SETTLE_SECONDS
    while (status := group_status(broker, group)).workers or any(queue.consumers for queue in status.queues):
        if time.monotonic() > end:
            raise ChangeFailed(
                f"A worker of {group} still receives from its queues. Stop it and run the command again."
            )
        time.sleep(POLL)


def declare(broker: BlockingConnection, group: Group) -> None:
    """Declare the queues of the group, bound to its own exchange alone, and mark that it is to be seeded."""
    channel = broker.channel()
    channel.exchange_declare(seeding_of(group.name), "fanout", durable=True)
    channel.exchange_declare(DEAD_LETTERS, "direct", durable=True)
    bound_contracts.record(channel, group)
    declare_dead_letters(channel, group)
    # In reverse: a worker counts the queues up to the first missing one, and must not find only some of them.
    for queue in reversed(group.queue_names):
        declare_queue(channel, group, queue)
    channel.exchange_declare(side_exchange_of(group.name), "topic", durable=True)
    for queue, routing_key in group.bindings():
        channel.queue_bind(queue, side_exchange_of(group.name), routing_key=routing_key)
    channel.close()


def bind_to_events(broker: BlockingConnection, group: Group) -> None:
    """Bind the queues of the group to `events`."""
    channel = broker.channel()
    for queue, routing_key in group.bindings():
        channel.queue_bind(queue, EVENTS, routing_key=routing_key)
    channel.close()


def unmark(broker: BlockingConnection, group: str) -> None:
    """Remove the mark: relays may reach the group around a detached queue."""
    channel = broker.channel()
    channel.exchange_delete(seeding_of(group))
    channel.close()
