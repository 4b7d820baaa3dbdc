"""Intake: one connection to the broker, the messages that arrive on it, and their acknowledgement."""

import contextlib
import gc
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError, ConnectionWrongStateError, ConsumerCancelled
from pika.spec import Basic, BasicProperties

from ordersaga.broker.connecting import connect
from ordersaga.broker.topology import dead_letters_of, parameters, queues_of
from ordersaga.consumer.properties import readable_headers, tolerate_all_properties
from ordersaga.consumer.reading import Reading
from ordersaga.consumer.source import Source, close_without_cancel
from ordersaga.inbox.delivery import SUSPECT, Delivery
from ordersaga.inbox.headers import as_text

MAX_UNACKNOWLEDGED = 1000
"""The most unacknowledged messages, over all queues of the group."""
MAX_HELD_BYTES = 32 * 1024 * 1024
"""While the bodies of unhandled messages have this many bytes or more, the worker reads nothing from the broker."""

UNCOUNTED_SECONDS = 10.0
"""For which a connected worker may be no consumer to the broker. Its node has then lost the other nodes of its cluster,
stays as it is, since RabbitMQ 4.2, and delivers nothing."""
ASKING_SECONDS = 30.0
"""After which another connection asks, to another node: one without the others may go on counting what it knew."""


class Intake:
    """All queues that a group has on the broker. Only `wake` may be called from other threads."""

    def __init__(self, group: str, amqp_url: str) -> None:
        tolerate_all_properties()
        self.arrived: deque[Delivery] = deque()
        self._sources: dict[str, Source] = {}
        self._dead_letters = dead_letters_of(group)
        self._held: dict[str, None] = {}
        self._amqp_url = amqp_url
        self._collectable = 0
        """Bytes of handled bodies since the last collection. Reference cycles keep a message alive, and Python collects
        by the number of objects (`tune_gc`): 1,000 messages of 4 MB made 3.3 GB before it did."""
        self._asking: BlockingChannel | None = None
        self._uncounted_since: float | None = None
        self._asking_since = time.monotonic()
        self._connection = connect(parameters(amqp_url, f"{group} worker"))
        self._reading = Reading(self._connection)
        try:
            self._subscribe(group)
        except BaseException:
            self.close()
            raise

    def _subscribe(self, group: str) -> None:
        """Open all channels before the first message can arrive: a request is answered behind the messages."""
        self.queues = queues_of(self._connection, group)
        prefetch = MAX_UNACKNOWLEDGED // max(1, len(self.queues))
        dead = Source(self._connection, self._dead_letters, prefetch, from_dead_letters, self.arrived.append)
        for queue in self.queues or [f"{group}.0"]:
            self._sources[queue] = Source(self._connection, queue, prefetch, from_queue, self._keep)
        dead.subscribe()
        for source in self._sources.values():
            source.subscribe(wait=not self.queues)
        self._sources[self._dead_letters] = dead
        self.pump(0)

    def _keep(self, delivery: Delivery) -> None:
        self._held.setdefault(delivery.queue)
        self.arrived.append(delivery)

    @property
    def held(self) -> list[str]:
        """Queues that have sent a message to this worker since it last subscribed to them, the latest last."""
        return list(self._held)

    @property
    def is_full(self) -> bool:
        """Whether the bodies of unhandled messages fill what this worker may hold."""
        return sum(source.held_bytes for source in self._sources.values()) >= MAX_HELD_BYTES

    def workers(self) -> int:
        """How many workers of the group are subscribed: each subscribes to the dead-letter queue.

        A connection of its own asks, because an answer comes behind all messages that are on their way.

        Raises:
            AMQPError: the broker is away, or has not counted this worker for some time: connect to another node.
        """
        if self._uncounted_since is None and time.monotonic() - self._asking_since > ASKING_SECONDS:
            self._stop_asking()
        if self._asking:
            with contextlib.suppress(AMQPError, OSError):
                return self._ask(self._asking)
            self._stop_asking()
        # There is none yet, or the broker ended it because nothing had been asked for a minute.
        self._asking = connect(parameters(self._amqp_url, f"asks for {self._dead_letters}")).channel()
        self._asking_since = time.monotonic()
        return self._ask(self._asking)

    def _ask(self, channel: BlockingChannel) -> int:
        count: int = channel.queue_declare(self._dead_letters, passive=True).method.consumer_count
        if count:
            self._uncounted_since = None
            return count
        now = time.monotonic()
        # Not since it was last counted: nobody asks while the database is away, and a slow queue may answer 0 once.
        self._uncounted_since = self._uncounted_since or now
        if (seconds := now - self._uncounted_since) > UNCOUNTED_SECONDS:
            raise AMQPError(f"the broker has counted no worker for {seconds:.0f} s, although this one is connected")
        return 1

    def close(self) -> None:
        """Close the connection; unhandled messages return to their place in the queues."""
        with contextlib.suppress(AMQPError, OSError):
            self._reading.switch(on=True)
            for source in self._sources.values():
                if source.channel.is_open:
                    source.acknowledge_handled()
                    close_without_cancel(source.channel)
            self._connection.close()
        self._stop_asking()

    def _stop_asking(self) -> None:
        with contextlib.suppress(AMQPError, OSError):
            if self._asking:
                self._asking.connection.close()
        self._asking = None

    def pump(self, seconds: float) -> None:
        """Exchange data with the broker until a message arrives, `wake` is called or the time is over.

        While this worker is full, only acknowledgements and heartbeats are exchanged.

        Raises:
            ConsumerCancelled: a queue was deleted.
        """
        for source in self._sources.values():
            source.acknowledge_due()
        full = self.is_full
        self._reading.switch(on=not full)
        for source in self._draining() if full else ():
            source.await_quiet()
        self._connection.process_data_events(time_limit=seconds)
        if any(source.cancelled or source.channel.is_closed for source in self._sources.values()):
            raise ConsumerCancelled("a queue was deleted")

    def gather(self, enough: int) -> None:
        """Read what the socket holds, up to so many messages; pika reads 100 kB at a time, about 110 messages."""
        before = -1
        while before < len(self.arrived) < enough:
            before = len(self.arrived)
            self.pump(0)

    def wake(self) -> None:
        """End the `pump` of another thread."""
        with contextlib.suppress(ConnectionWrongStateError):
            self._connection.add_callback_threadsafe(lambda: None)

    def take(self, most: int, most_bytes: int = MAX_HELD_BYTES) -> list[Delivery]:
        """The first messages, at most so many; their bodies have `most_bytes` together, or it is one message."""
        taken: list[Delivery] = []
        while self.arrived and len(taken) < most and (not taken or len(self.arrived[0].body) <= most_bytes):
            taken.append(self.arrived.popleft())
            most_bytes -= len(taken[-1].body)
        return taken

    def acknowledge(self, deliveries: Iterable[Delivery]) -> None:
        """Acknowledge these soon; at once what was delivered before, because the broker counts its deliveries."""
        handled: defaultdict[str, set[int]] = defaultdict(set)
        before: defaultdict[str, bool] = defaultdict(bool)
        for delivery in deliveries:
            self._collectable += len(delivery.body)
            handled[delivery.queue].add(delivery.tag)
            before[delivery.queue] |= delivery.delivered_before > 0
        for queue, tags in handled.items():
            self._sources[queue].acknowledge(tags, at_once=before[queue])
        if self._collectable > MAX_HELD_BYTES:
            self._collectable = 0
            gc.collect(1)

    @property
    def is_draining(self) -> bool:
        """Whether a queue is drained, to be released."""
        return any(self._draining())

    def _draining(self) -> Iterator[Source]:
        return (source for source in self._sources.values() if source.draining_since)

    def drain(self, queue: str) -> None:
        """Stop a queue after its prefetch; `release_drained` releases it once these messages are handled."""
        self._sources[queue].drain()

    def drain_all(self) -> None:
        for source in self._sources.values():
            source.drain()

    def release_drained(self, for_good: bool = False) -> list[str]:
        """Release the drained queues, and subscribe to them again unless `for_good`. Returns their names."""
        if self.is_draining:
            self.pump(0)
        drained = [source for source in self._draining() if source.is_drained]
        if drained:
            self._reading.switch(on=True)
        for source in drained:
            source.close_channel()
            self._held.pop(source.queue, None)
            if for_good:
                del self._sources[source.queue]
            else:
                source.open()
                source.subscribe(wait=False)
        return [source.queue for source in drained]


def from_queue(queue: str, method: Basic.Deliver, properties: BasicProperties, body: bytes) -> Delivery:
    headers = readable_headers(properties)
    before = delivered_before(headers, method.redelivered)
    return Delivery(method.delivery_tag, as_text(method.routing_key), headers, body, before, queue=queue)


def from_dead_letters(queue: str, method: Basic.Deliver, properties: BasicProperties, body: bytes) -> Delivery:
    headers = readable_headers(properties)
    routing_key, reason = death(headers)
    routing_key = routing_key or as_text(method.routing_key)
    return Delivery(method.delivery_tag, routing_key, headers, body, dead_lettered=reason, queue=queue)


def delivered_before(headers: Mapping[str, Any], redelivered: bool) -> int:
    """Deliveries without acknowledgement. RabbitMQ 4.3 counts none for a lost consumer: assume SUSPECT."""
    if not redelivered:
        return 0
    count = headers.get("x-delivery-count")
    return count if isinstance(count, int) and count > 0 else SUSPECT


def death(headers: Mapping[str, Any]) -> tuple[str, str]:
    """First routing key and reason of a dead letter, from the broker's x-death header.

    Publishers can write that header too, so it may hold anything.
    """
    deaths = headers.get("x-death")
    first = deaths[0] if isinstance(deaths, list) and deaths and isinstance(deaths[0], Mapping) else {}
    reason, keys = first.get("reason", "no reason given"), first.get("routing-keys")
    key = str(keys[0]) if isinstance(keys, list) and keys else ""
    if reason == "delivery_limit":
        return key, "delivery limit reached (the process died handling it)"
    return key, f"dead-lettered by the broker: {reason}"
