"""The state of a consumer group's queues on the broker."""

from dataclasses import dataclass

from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection

from ordersaga.broker.topology import dead_letters_of, is_being_seeded, is_changing, queues_of


@dataclass(frozen=True)
class QueueStatus:
    """`ready` counts waiting messages, not those that a worker holds; `consumers` counts the active one."""

    name: str
    ready: int
    consumers: int


@dataclass(frozen=True)
class GroupStatus:
    """`queues` is empty when the group is not declared; `changing` says that their number is not final, `seeding` that
    it receives nothing new yet."""

    group: str
    queues: list[QueueStatus]
    workers: int
    dead_letters: int
    changing: bool = False
    seeding: bool = False

    @property
    def ready(self) -> int:
        return sum(queue.ready for queue in self.queues)

    @property
    def is_abandoned(self) -> bool:
        """No message is ready and no worker is subscribed, so none holds a message either."""
        return not self.ready and not self.workers and not any(queue.consumers for queue in self.queues)


def queue_status(channel: BlockingChannel, queue: str) -> QueueStatus:
    found = channel.queue_declare(queue, passive=True).method
    return QueueStatus(queue, found.message_count, found.consumer_count)


def group_status(connection: BlockingConnection, group: str) -> GroupStatus:
    """Ask the broker. Raises pika.exceptions.AMQPError."""
    names = queues_of(connection, group)
    if not names:
        return GroupStatus(group, [], 0, 0)
    channel = connection.channel()
    try:
        dead = queue_status(channel, dead_letters_of(group))
        queues = [queue_status(channel, name) for name in names]
        marks = is_changing(connection, group), is_being_seeded(connection, group)
        return GroupStatus(group, queues, dead.consumers, dead.ready, *marks)
    finally:
        if channel.is_open:
            channel.close()
