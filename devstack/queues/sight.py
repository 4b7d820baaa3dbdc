"""What the broker says of a group's queues."""

from dataclasses import dataclass

from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection

from ordersaga.broker.topology import dead_letters_of, is_changing, queues_of


@dataclass(frozen=True)
class Queue:
    """`ready` counts what waits, not what a worker has in hand; `consumers` the one that is active."""

    name: str
    ready: int
    consumers: int


@dataclass(frozen=True)
class Sight:
    """A group as it is now; `queues` is empty when it is not declared, `changing` when their number is not final."""

    group: str
    queues: list[Queue]
    workers: int
    dead_letters: int
    changing: bool = False

    @property
    def ready(self) -> int:
        return sum(queue.ready for queue in self.queues)

    @property
    def is_abandoned(self) -> bool:
        """Nothing is ready and nobody is subscribed; so nobody has anything in hand either."""
        return not self.ready and not self.workers and not any(queue.consumers for queue in self.queues)


def ask(channel: BlockingChannel, queue: str) -> Queue:
    found = channel.queue_declare(queue, passive=True).method
    return Queue(queue, found.message_count, found.consumer_count)


def look(connection: BlockingConnection, group: str) -> Sight:
    names = queues_of(connection, group)
    if not names:
        return Sight(group, [], 0, 0)
    channel = connection.channel()
    try:
        dead = ask(channel, dead_letters_of(group))
        queues = [ask(channel, name) for name in names]
        return Sight(group, queues, dead.consumers, dead.ready, is_changing(connection, group))
    finally:
        if channel.is_open:
            channel.close()
