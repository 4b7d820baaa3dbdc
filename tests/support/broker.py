"""The topology of one test on the shared broker, gone when the test ends."""

from collections.abc import Iterator
from contextlib import contextmanager

import pika
from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection

from ordersaga.broker import topology as broker
from ordersaga.broker.bound_contracts import record_of


class TestBroker:
    """Declares groups as the provisioner and remembers their queues."""

    __test__ = False

    def __init__(self, url: str) -> None:
        self.url = url
        """As the provisioner, who may do everything."""
        self._queues: list[str] = []
        self._exchanges: list[str] = []

    @contextmanager
    def channel(self) -> Iterator[BlockingChannel]:
        connection: BlockingConnection = pika.BlockingConnection(pika.URLParameters(self.url))
        try:
            yield connection.channel()
        finally:
            if connection.is_open:
                connection.close()

    def declare(self, *groups: broker.Group) -> None:
        with self.channel() as channel:
            broker.declare(channel, groups)
        self.remember(*groups)

    def remember(self, *groups: broker.Group) -> None:
        """Their queues and exchanges go with the test."""
        for group in groups:
            self._queues += [*group.queue_names, group.dead_letters, record_of(group.name)]
            self._exchanges.append(broker.side_exchange_of(group.name))

    def depth(self, queue: str) -> int:
        """Messages ready in the queue."""
        with self.channel() as channel:
            count: int = channel.queue_declare(queue, passive=True).method.message_count
            return count

    def clean(self) -> None:
        with self.channel() as channel:
            for queue in self._queues:
                channel.queue_delete(queue)
            for exchange in self._exchanges:
                channel.exchange_delete(exchange)
