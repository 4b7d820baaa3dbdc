"""One queue on a channel of its own: what of it is in hand, what is acknowledged, and how it is given back."""

import time
from collections.abc import Callable, Collection

from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection
from pika.spec import Basic, BasicProperties

from ordersaga.inbox.delivery import Delivery

Maker = Callable[[str, Basic.Deliver, BasicProperties, bytes], Delivery]

QUIET_SECONDS = 0.5
"""How long a queue that is given back may take to fill its prefetch; one that does not by then has little traffic."""


class Source:
    """A subscription; the broker makes the one that has waited longest its queue's active consumer."""

    def __init__(
        self, connection: BlockingConnection, queue: str, prefetch: int, make: Maker, keep: Callable[[Delivery], None]
    ) -> None:
        self.queue = queue
        self._connection = connection
        self._prefetch = prefetch
        self._make = make
        self._keep = keep
        self.cancelled = False
        self.subscribe()

    def subscribe(self) -> None:
        """Stand at the end of the line."""
        self.is_active = False
        self.leaving_since = 0.0
        self._open: dict[int, None] = {}
        self._ended: list[int] = []
        self.channel: BlockingChannel = self._connection.channel()
        self.channel.add_on_cancel_callback(self._on_cancel)
        self.channel.basic_qos(prefetch_count=self._prefetch)
        self._consumer: str = self.channel.basic_consume(self.queue, self._on_message)

    def _on_cancel(self, _: object) -> None:
        self.cancelled = True

    def _on_message(self, _: object, method: Basic.Deliver, properties: BasicProperties, body: bytes) -> None:
        self.is_active = True
        self._open[method.delivery_tag] = None
        self._keep(self._make(self.queue, method, properties, body))

    def acknowledge(self, ended: Collection[int]) -> None:
        """All up to the first one still open with one frame; those beyond it singly, lest it use up the prefetch."""
        if self.leaving_since:
            self._ended += ended
        else:
            first_open = next((tag for tag in self._open if tag not in ended), None)
            up_to = [tag for tag in ended if first_open is None or tag < first_open]
            if up_to:
                self.channel.basic_ack(max(up_to), multiple=True)
            for tag in set(ended).difference(up_to):
                self.channel.basic_ack(tag)
        for tag in ended:
            del self._open[tag]

    def leave(self) -> None:
        """From now on acknowledge nothing, so that the broker sends no more than the prefetch allows."""
        self.leaving_since = time.monotonic()

    @property
    def is_full(self) -> bool:
        """All that the prefetch allows has come and ended, so that nothing more can be on its way here."""
        return len(self._ended) >= self._prefetch

    @property
    def may_go(self) -> bool:
        """Whether all that has come has ended, and nothing or next to nothing is on its way here."""
        quiet = not self.is_active or time.monotonic() - self.leaving_since > QUIET_SECONDS
        return not self._open and (self.is_full or quiet)

    def give_back(self) -> None:
        """Acknowledge all and close the channel; the next in line becomes active.

        A cancelled consumer's successor starts behind what the cancelled one was sent, so only a full one may cancel.
        Else the channel is closed as it is: what was sent last returns to its place, counted as delivered once.
        """
        if self.is_full:
            self.channel.basic_cancel(self._consumer)
        if self._ended:
            self.channel.basic_ack(max(self._ended), multiple=True)
        hang_up(self.channel)


def hang_up(channel: BlockingChannel) -> None:
    """Close a channel and nothing else. pika's `close`, of channels and connections, cancels the consumers first,
    and then the next consumer is sent later messages before the unacknowledged ones are back in the queue."""
    channel._impl._cancelled.update(channel._consumer_infos)
    channel._consumer_infos.clear()
    channel.close()
