"""One queue on a channel of its own: its unacknowledged messages, acknowledgements, and how the queue is released."""

import time
from collections.abc import Callable, Collection

from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection
from pika.spec import Basic, BasicProperties

from ordersaga.inbox.delivery import Delivery
from ordersaga.runtime import failpoints

Maker = Callable[[str, Basic.Deliver, BasicProperties, bytes], Delivery]

ACK_SECONDS = 0.5
"""A handled message is acknowledged so much later at most, together with others: for each acknowledgement the broker
takes a command, a write and an fsync, 2.5 of the 7.5 ms of CPU that it spends on a saga at 20 sagas/s. A worker that
is killed meanwhile gets these messages again, and drops them."""
ACK_SHARE = 8
"""They are acknowledged at once when they use up this part of the prefetch."""
QUIET_SECONDS = 0.5
"""How long a drained queue may take to fill its prefetch; after that it has little traffic."""


class Source:
    """A subscription. The broker makes the subscription that has waited longest the active consumer of its queue."""

    def __init__(
        self, connection: BlockingConnection, queue: str, prefetch: int, make: Maker, keep: Callable[[Delivery], None]
    ) -> None:
        self.queue = queue
        self._connection = connection
        self._prefetch = prefetch
        self._make = make
        self._keep = keep
        self.cancelled = False
        self.open()

    def open(self) -> None:
        """Open a channel, on which nothing arrives before `subscribe`."""
        self.is_active = False
        self.draining_since = 0.0
        self._unhandled: dict[int, int] = {}
        self.held_bytes = 0
        self._handled: list[int] = []
        self._due_at = 0.0
        self.channel: BlockingChannel = self._connection.channel()
        self.channel.add_on_cancel_callback(self._on_cancel)
        self.channel.basic_qos(prefetch_count=self._prefetch)

    def subscribe(self, wait: bool = True) -> None:
        """Become the last of the queue's waiting consumers.

        Without `wait` the answer is not waited for: it comes behind all that other queues have sent until then, which
        pika would read. A refusal closes the channel.
        """
        if not wait:
            self.channel._flush_output = lambda *_: None
        try:
            self._consumer: str = self.channel.basic_consume(self.queue, self._on_message)
        finally:
            if not wait:
                del self.channel._flush_output

    def _on_cancel(self, _: object) -> None:
        self.cancelled = True

    def _on_message(self, _: object, method: Basic.Deliver, properties: BasicProperties, body: bytes) -> None:
        self.is_active = True
        self._unhandled[method.delivery_tag] = len(body)
        self.held_bytes += len(body)
        self._keep(self._make(self.queue, method, properties, body))

    def acknowledge(self, handled: Collection[int], at_once: bool = False) -> None:
        """Acknowledge these with the next frame that is due. A source that is drained keeps them until
        `close_channel`."""
        for tag in handled:
            self.held_bytes -= self._unhandled.pop(tag)
        if handled and not self._handled:
            self._due_at = time.monotonic() + ACK_SECONDS
        self._handled += handled
        if at_once or len(self._handled) * ACK_SHARE >= self._prefetch:
            self._due_at = 0.0
        self.acknowledge_due()

    def acknowledge_due(self) -> None:
        if self._handled and not self.draining_since and time.monotonic() >= self._due_at:
            self.acknowledge_handled()

    def acknowledge_handled(self) -> None:
        """Acknowledge all up to the first unhandled message with one frame, and those beyond it one by one, because
        they would use up the prefetch."""
        failpoints.reach("ack.before-send")
        first_unhandled = next(iter(self._unhandled), None)
        up_to = [tag for tag in self._handled if first_unhandled is None or tag < first_unhandled]
        if up_to:
            self.channel.basic_ack(max(up_to), multiple=True)
        for tag in set(self._handled).difference(up_to):
            self.channel.basic_ack(tag)
        failpoints.reach("ack.after-send")
        self._handled.clear()

    def drain(self) -> None:
        """Acknowledge nothing from now on, so that the broker sends no more than the prefetch allows."""
        self.await_quiet()

    def await_quiet(self) -> None:
        """Nothing can arrive now: only from now on does silence mean that nothing is on its way."""
        self.draining_since = time.monotonic()

    @property
    def is_full(self) -> bool:
        """Whether all that the prefetch allows has arrived and is handled, so that nothing more can be on its way."""
        return len(self._handled) >= self._prefetch

    @property
    def is_drained(self) -> bool:
        """Whether every arrived message is handled, and none or hardly any is on its way."""
        quiet = not self.is_active or time.monotonic() - self.draining_since > QUIET_SECONDS
        return not self._unhandled and not self._is_receiving and (self.is_full or quiet)

    @property
    def _is_receiving(self) -> bool:
        """Whether a part of a message has arrived; the attribute is private to pika 1."""
        return self.channel._impl._content_assembler._method_frame is not None

    def close_channel(self) -> None:
        """Acknowledge all and close the channel; the broker activates the next waiting consumer.

        The broker starts the successor of a cancelled consumer behind the last message that it sent, so only a full
        consumer may cancel. Otherwise the channel is closed without a cancel: the messages sent last return to their
        place in the queue, counted as delivered once.
        """
        if self.is_full:
            self.channel.basic_cancel(self._consumer)
        self.acknowledge_handled()
        close_without_cancel(self.channel)


def close_without_cancel(channel: BlockingChannel) -> None:
    """Close a channel and nothing else. pika's `close`, of channels and connections, cancels the consumers first,
    and then the next consumer is sent later messages before the unacknowledged ones are back in the queue."""
    channel._impl._cancelled.update(channel._consumer_infos)
    channel._consumer_infos.clear()
    channel.close()
