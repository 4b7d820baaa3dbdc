"""Sender: publishes history to the exchange of one group, in order per key, and waits while the group is behind."""

import time
from collections.abc import Callable, Sequence

from pika.adapters.blocking_connection import BlockingConnection

from ordersaga.broker.group_status import group_status
from ordersaga.broker.topology import Group, side_exchange_of
from ordersaga.envelope.message import Message
from ordersaga.relay.in_flight import InFlight
from ordersaga.relay.publisher import Publisher
from ordersaga.relay.window import Outgoing

BATCH = 200
"""Messages of one write."""
IN_FLIGHT, MAX_BYTES = 2000, 16 * 1024 * 1024
"""The most messages that are not confirmed, and bytes of their bodies."""
LOOK_EVERY = 1000
"""Messages between two looks at the queues."""
WAIT_SECONDS = 0.2
SILENT_SECONDS = 60.0
"""Seconds without a confirm after which the seeding is given up, unless the broker says why it waits."""


class NotTaken(Exception):
    """The broker refuses a message, or confirms nothing; the text says which and why."""


class Sender:
    """At most one message of a key is unconfirmed, so that none overtakes one that the broker refuses."""

    def __init__(self, amqp_url: str, group: Group, broker: BlockingConnection, max_ready: int) -> None:
        """`max_ready` is the most messages that wait in the queues of the group before more are published."""
        self.sent = 0
        self._publisher = Publisher(amqp_url, f"seed {group.name}")
        self._group = group
        self._exchanges = (side_exchange_of(group.name),)
        self._broker = broker
        self._max_ready = max_ready
        self._in_flight = InFlight()
        self._batch: list[Message] = []
        self._look_at = 0

    def connect(self) -> None:
        """Raises BrokerUnavailable."""
        self._publisher.connect()

    def close(self) -> None:
        """End the connection without waiting for confirms."""
        self._publisher.close(seconds=0.1)

    def send(self, message: Message) -> None:
        """Publish the message soon. Raises NotTaken and BrokerUnavailable."""
        self._batch.append(message)
        if len(self._batch) >= BATCH:
            self._write()

    def flush(self) -> None:
        """Wait until everything is confirmed. Raises NotTaken and BrokerUnavailable."""
        self._write()
        self._settle(lambda: self._in_flight.outstanding > 0)

    def keep_alive(self) -> None:
        """Answer heartbeats, and read confirms."""
        self._take(0, 0)
        self._broker.process_data_events(0)

    def await_room(self, waiting: Callable[[int], None]) -> None:
        """Wait while too many messages are ready in the queues; `waiting` is called with their number meanwhile."""
        if self.sent < self._look_at:
            return
        while (ready := self._waiting()) >= self._max_ready:
            waiting(ready)
            self.keep_alive()
            self._publisher.wait(WAIT_SECONDS)
        self._look_at = self.sent + min(LOOK_EVERY, self._max_ready - ready)

    def _waiting(self) -> int:
        """Messages that no worker has taken, or that are on their way into the queues."""
        return group_status(self._broker, self._group.name).ready + self._in_flight.outstanding

    def _write(self) -> None:
        rows = [
            Outgoing(self.sent + number, message, len(message.body)) for number, message in enumerate(self._batch, 1)
        ]
        self._batch.clear()
        self.sent += len(rows)
        self._transmit(self._in_flight.admit(rows))
        self._settle(lambda: self._in_flight.exceeds(IN_FLIGHT, IN_FLIGHT, MAX_BYTES))

    def _transmit(self, rows: Sequence[Outgoing]) -> None:
        if rows:
            self._in_flight.mark_sent(rows)
            self._publisher.send([row.message for row in rows], lambda _: self._exchanges)

    def _settle(self, is_too_much: Callable[[], bool]) -> None:
        confirmed_at = time.monotonic()
        while is_too_much():
            if self._take(self._in_flight.count - 1, WAIT_SECONDS) or self._publisher.blocked:
                confirmed_at = time.monotonic()
            elif time.monotonic() - confirmed_at > SILENT_SECONDS:
                raise NotTaken(f"The broker has confirmed nothing for {SILENT_SECONDS:.0f} s.")

    def _take(self, at_most: int, seconds: float) -> bool:
        """Read confirms, and send what waited for them. Returns whether there were any."""
        outcome = self._publisher.settle(at_most, seconds)
        for refusal in outcome.refusals:
            raise NotTaken(
                f"The broker refuses {refusal.message.contract} {refusal.message.id} of key {refusal.message.key}: "
                f"{refusal.reason}."
            )
        settled = self._in_flight.pop_settled(outcome.settled)
        self._transmit([after for row in settled if (after := self._in_flight.next_of(row.message.key))])
        return bool(settled)
