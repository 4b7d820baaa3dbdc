"""One connection to the broker: what has arrived over it, and what of that is acknowledged."""

import contextlib
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError, ConnectionWrongStateError, ConsumerCancelled
from pika.spec import Basic, BasicProperties

from messaging.broker import Group, parameters
from messaging.receiving.delivery import SUSPECT, Delivery

IN_HAND = 1000
"""Messages held unacknowledged at most, over all queues of the group."""


class Intake:
    """All queues of a group on one channel. Only `wake` may be called from other threads."""

    def __init__(self, group: Group, amqp_url: str) -> None:
        self.arrived: deque[Delivery] = deque()
        self._open: dict[int, None] = {}
        self._cancelled = False
        self._connection = pika.BlockingConnection(parameters(amqp_url, f"{group.name} worker"))
        try:
            self._channel = self._consume(group)
        except BaseException:
            self.close()
            raise

    def _consume(self, group: Group) -> BlockingChannel:
        channel: BlockingChannel = self._connection.channel()
        channel.add_on_cancel_callback(self._on_cancel)
        channel.basic_qos(prefetch_count=IN_HAND // group.queues)
        for queue in group.queue_names:
            channel.basic_consume(queue, self._on_message)
        channel.basic_consume(group.dead_letters, self._on_dead_letter)
        return channel

    def _on_cancel(self, _: Any) -> None:
        self._cancelled = True

    def close(self) -> None:
        with contextlib.suppress(AMQPError, OSError):
            self._connection.close()

    def pump(self, seconds: float) -> None:
        """Exchange data with the broker until something has arrived, `wake` was called or the time is over."""
        self._connection.process_data_events(time_limit=seconds)
        if self._cancelled:
            raise ConsumerCancelled("a queue was deleted")

    def gather(self, enough: int) -> None:
        """Take in what lies ready in the socket; pika reads 100 kB at a time, about 110 messages."""
        before = -1
        while before < len(self.arrived) < enough:
            before = len(self.arrived)
            self.pump(0)

    def wake(self) -> None:
        """End a `pump` that another thread is in."""
        with contextlib.suppress(ConnectionWrongStateError):
            self._connection.add_callback_threadsafe(lambda: None)

    def take(self, most: int) -> list[Delivery]:
        return [self.arrived.popleft() for _ in range(min(most, len(self.arrived)))]

    def acknowledge(self, tags: Iterable[int]) -> None:
        """All up to the first one still open with one frame; those beyond it singly, lest it use up the prefetch."""
        ended = set(tags)
        first_open = next((tag for tag in self._open if tag not in ended), None)
        up_to = [tag for tag in ended if first_open is None or tag < first_open]
        if up_to:
            self._channel.basic_ack(max(up_to), multiple=True)
        for tag in ended.difference(up_to):
            self._channel.basic_ack(tag)
        for tag in ended:
            del self._open[tag]

    def _on_message(self, _: Any, method: Basic.Deliver, properties: BasicProperties, body: bytes) -> None:
        headers = properties.headers or {}
        before = delivered_before(headers, method.redelivered)
        self._keep(Delivery(method.delivery_tag, method.routing_key, headers, body, before))

    def _on_dead_letter(self, _: Any, method: Basic.Deliver, properties: BasicProperties, body: bytes) -> None:
        headers = properties.headers or {}
        routing_key, reason = death(headers)
        tag = method.delivery_tag
        self._keep(Delivery(tag, routing_key or method.routing_key, headers, body, dead_lettered=reason))

    def _keep(self, delivery: Delivery) -> None:
        self._open[delivery.tag] = None
        self.arrived.append(delivery)


def delivered_before(headers: Mapping[str, Any], redelivered: bool) -> int:
    """Deliveries that did not end; a broker that does not count them (4.3 for a lost consumer) makes a suspect."""
    if not redelivered:
        return 0
    count = headers.get("x-delivery-count")
    return count if isinstance(count, int) and count > 0 else SUSPECT


def death(headers: Mapping[str, Any]) -> tuple[str, str]:
    """First routing key and reason of a dead letter, out of the broker's x-death header."""
    deaths = headers.get("x-death") or [{}]
    reason = deaths[0].get("reason", "no reason given")
    keys = deaths[0].get("routing-keys") or [""]
    if reason == "delivery_limit":
        return keys[0], "delivery limit reached (the process died handling it)"
    return keys[0], f"dead-lettered by the broker: {reason}"
