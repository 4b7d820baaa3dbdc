"""The model of RabbitMQ as consumers meet it: queues with one active consumer, acknowledgements, returns."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from pika.exceptions import StreamLostError

from ordersaga.envelope.message import Message, to_headers
from tests.simulation.world import current

MOST_COUNTED = 4
"""Deliveries without an acknowledgement that are counted: with one more the broker dead-letters the message, which then
waits for a person."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A message in a queue, and how often it was delivered without an acknowledgement."""

    message: Message
    before: int = 0


@dataclass(eq=False)
class WorkQueue:
    """A quorum queue with a single active consumer: the one that has waited longest."""

    name: str
    ready: deque[Copy] = field(default_factory=deque)
    consumers: "list[WorkerChannel]" = field(default_factory=list)

    def deliver(self, count: int) -> bool:
        """Send the next messages, as far as the prefetch allows. Returns whether one was sent."""
        sent = 0
        while sent < count and self.ready and self.consumers and self.consumers[0].has_room:
            self.consumers[0].send(self, self.ready.popleft())
            sent += 1
        return sent > 0

    def take_back(self, copies: list[Copy]) -> None:
        """Unacknowledged messages return to their place, in their order."""
        self.ready.extendleft(replace(copy, before=min(copy.before + 1, MOST_COUNTED)) for copy in reversed(copies))


class WorkerChannel:
    """A channel of pika's BlockingConnection, as far as a source uses one."""

    def __init__(self, connection: "WorkerConnection") -> None:
        self.connection = connection
        self.is_open = True
        self.prefetch = 0
        self.arriving: deque[tuple[int, Copy]] = deque()
        """Sent by the broker and not yet read."""
        self.unacknowledged: dict[int, Copy] = {}
        self.acknowledgements: deque[tuple[int, bool]] = deque()
        """Sent to the broker, which has not read them."""
        self._queue: WorkQueue | None = None
        self._callback: Callable[..., None] = lambda *_: None
        self._tag = 0
        self._consumer_infos: dict[str, Any] = {}
        self._impl = SimpleNamespace(_cancelled=set(), _content_assembler=SimpleNamespace(_method_frame=None))

    @property
    def is_closed(self) -> bool:
        return not self.is_open

    @property
    def has_room(self) -> bool:
        return len(self.unacknowledged) < self.prefetch

    # What the product calls.

    def add_on_cancel_callback(self, callback: Callable[[Any], None]) -> None:
        pass

    def basic_qos(self, prefetch_count: int) -> None:
        self.prefetch = prefetch_count

    def basic_consume(self, queue: str, callback: Callable[..., None]) -> str:
        self.connection.require()
        self._queue, self._callback = self.connection.broker.queues[queue], callback
        self._queue.consumers.append(self)
        return queue

    def basic_ack(self, delivery_tag: int, multiple: bool = False) -> None:
        self.connection.require()
        self.acknowledgements.append((delivery_tag, multiple))

    def basic_cancel(self, _: str) -> None:
        current().pause()
        self.connection.require()
        self.hear()
        if self._queue and self in self._queue.consumers:
            self._queue.consumers.remove(self)

    def queue_declare(self, queue: str, passive: bool) -> Any:
        current().pause()
        self.connection.require()
        count = len(self.connection.broker.queues[queue].consumers)
        return SimpleNamespace(method=SimpleNamespace(consumer_count=count))

    def close(self) -> None:
        current().pause()
        self.connection.require()
        self.hear()
        self.end()

    # What the broker does.

    def send(self, queue: WorkQueue, copy: Copy) -> None:
        self._tag += 1
        self.unacknowledged[self._tag] = copy
        self.arriving.append((self._tag, copy))

    def hear(self) -> None:
        """Read the acknowledgements."""
        while self.acknowledgements:
            tag, multiple = self.acknowledgements.popleft()
            for known in [each for each in self.unacknowledged if each == tag or (multiple and each < tag)]:
                del self.unacknowledged[known]

    def end(self) -> None:
        """It is closed or lost."""
        self.is_open = False
        if self._queue:
            if self in self._queue.consumers:
                self._queue.consumers.remove(self)
            self._queue.take_back(list(self.unacknowledged.values()))
        self.unacknowledged.clear()
        self.arriving.clear()

    def dispatch(self) -> bool:
        """Hand what has arrived to the product."""
        has_arrived = bool(self.arriving)
        while self.arriving:
            tag, copy = self.arriving.popleft()
            message, headers = copy.message, dict(to_headers(copy.message))
            if copy.before:
                headers["x-delivery-count"] = copy.before  # type: ignore[assignment]
            method = SimpleNamespace(delivery_tag=tag, routing_key=message.routing_key, redelivered=copy.before > 0)
            self._callback(self, method, SimpleNamespace(headers=headers), message.body.encode())
        return has_arrived


class WorkerConnection:
    """A BlockingConnection of pika."""

    def __init__(self, broker: "WorkBroker") -> None:
        self.broker = broker
        self.owner = current().host
        self.is_lost = False
        self.channels: list[WorkerChannel] = []
        self._is_woken = False
        broker.connections.append(self)

    def require(self) -> None:
        if self.is_lost:
            raise StreamLostError("the connection is lost")

    def channel(self) -> WorkerChannel:
        self.require()
        self.channels.append(WorkerChannel(self))
        return self.channels[-1]

    def add_callback_threadsafe(self, _: Callable[[], None]) -> None:
        self._is_woken = True

    def process_data_events(self, time_limit: float) -> None:
        """Read until something arrives, somebody wakes it, or the time is over."""
        end = current().now + time_limit
        while True:
            current().pause(end - current().now, self._has_data)
            self.require()
            has_arrived = sum(channel.dispatch() for channel in self.channels) > 0
            if has_arrived or self._is_woken or current().now >= end:
                self._is_woken = False
                return

    def _has_data(self) -> bool:
        return self._is_woken or self.is_lost or any(channel.arriving for channel in self.channels)

    def close(self) -> None:
        self.hear()
        self.lose()

    def hear(self) -> None:
        for channel in self.channels:
            channel.hear()

    def lose(self) -> None:
        """What the broker has not read of it is lost."""
        self.is_lost = True
        for channel in self.channels:
            if channel.is_open:
                channel.end()
        if self in self.broker.connections:
            self.broker.connections.remove(self)


class WorkBroker:
    """The queues of one group."""

    def __init__(self, queues: list[str]) -> None:
        self.queues = {name: WorkQueue(name) for name in queues}
        self.connections: list[WorkerConnection] = []


class Reading:
    """In place of the product's `Reading`: no worker of a schedule is full."""

    def __init__(self, _: object) -> None:
        pass

    def switch(self, on: bool) -> None:
        pass
