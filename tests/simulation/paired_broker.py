"""A model of RabbitMQ that publishes everything on a real one too, and fails where the two differ."""

from collections.abc import Container
from typing import Any

import pika
from pika.exceptions import NackError, UnroutableError

from ordersaga.broker import topology
from ordersaga.envelope.message import Message, to_properties
from tests.simulation.broker import STRANGER, Broker, Channel
from tests.simulation.paired_postgres import Differs
from tests.simulation.run import GROUPS, UNBOUND
from tests.support.broker import TestBroker


class RealTopology:
    """The groups and the stranger on the real broker; contracts that are to be unbound at first are bound later."""

    def __init__(self, real: TestBroker) -> None:
        self.connection = pika.BlockingConnection(pika.URLParameters(real.url))
        self._channel = self.connection.channel()
        topology.declare(self._channel, GROUPS)
        self._channel.queue_declare(STRANGER, durable=True, arguments={"x-queue-type": "quorum"})
        for contract in {contract for group in GROUPS for contract in group.contracts}:
            self._channel.queue_bind(STRANGER, topology.EVENTS, f"{contract}.*")
        self._is_bound = True

    def bind(self, is_bound: bool) -> None:
        """Bind the queues for the contract UNBOUND, or unbind them."""
        if is_bound == self._is_bound:
            return
        change = self._channel.queue_bind if is_bound else self._channel.queue_unbind
        change(STRANGER, topology.EVENTS, f"{UNBOUND}.*")
        for group in GROUPS:
            for queue, routing_key in group.bindings():
                for exchange in topology.exchanges_of(group.name) if routing_key.startswith(UNBOUND) else ():
                    change(queue, exchange, routing_key)
        self._is_bound = is_bound

    def close(self) -> None:
        """Delete it."""
        for group in GROUPS:
            for queue in (*group.queue_names, group.dead_letters):
                self._channel.queue_delete(queue)
            self._channel.exchange_delete(topology.side_exchange_of(group.name))
        self._channel.queue_delete(STRANGER)
        self.connection.close()


class PairedBroker(Broker):
    """The queues of a real topology, empty at the beginning of a schedule."""

    def __init__(self, real: RealTopology) -> None:
        super().__init__(GROUPS, [UNBOUND])
        self._real = real
        self._connection = real.connection
        self._channels: dict[Channel, Any] = {}
        self.compared = 0
        """Answers and messages so far."""
        real.bind(is_bound=False)

    def bind_all(self) -> None:
        self._real.bind(is_bound=True)
        super().bind_all()

    def open(self, owner: str) -> Channel:
        channel = super().open(owner)
        self._channels[channel] = self._connection.channel()
        self._channels[channel].confirm_delivery()
        return channel

    def take(self, channel: Channel, count: int, slow: Container[str] = ()) -> None:
        """Both route the next messages. A real queue stores them when it likes, so that none is slow here."""
        for tag, message, exchange in list(channel.sent)[:count]:
            was_returned = self._publish(channel, message, exchange)
            super().take(channel, 1)
            if was_returned != (("returned", str(message.id), False) in channel.answers) or channel.awaited[tag]:
                raise Differs(f"RabbitMQ {'returns' if was_returned else 'takes'} {message}")
            self.compared += 1

    def _publish(self, channel: Channel, message: Message, exchange: str) -> bool:
        """Publish it on the real server and await the confirm. Returns whether it was returned."""
        try:
            self._channels[channel].basic_publish(
                exchange, message.routing_key, message.body.encode(), to_properties(message), mandatory=True
            )
        except UnroutableError:
            return True
        except NackError as refused:
            raise Differs(f"RabbitMQ refuses {message}") from refused
        return False

    def lose(self, channel: Channel, kept: int = 0) -> None:
        super().lose(channel, kept)
        if (real := self._channels.pop(channel, None)) and real.is_open:
            real.close()

    def compare(self) -> None:
        """Each real queue has the same messages in the same order."""
        for name, queue in self.queues.items():
            ids = self._read(name, len(queue.messages)) if queue.messages else []
            self.compared += len(ids)
            if ids != [str(message.id) for message in queue.messages]:
                raise Differs(f"{name} has {ids}, the model {[str(message.id) for message in queue.messages]}")

    def _read(self, queue: str, expected: int) -> list[str]:
        """Take what the queue has: so many messages, and any more."""
        channel = self._connection.channel()
        ids: list[str] = []
        for method, properties, _ in channel.consume(queue, auto_ack=True, inactivity_timeout=5):
            if method is not None:
                ids.append(properties.message_id)
            if method is None or len(ids) >= expected:
                break
        ids += ["another"] * channel.cancel()
        channel.close()
        return ids
