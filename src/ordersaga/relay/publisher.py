"""Publishing with pipelined confirms, over one connection to RabbitMQ."""

import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import pika
from pika.adapters.select_connection import IOLoop
from pika.exceptions import ChannelClosedByBroker, ConnectionWrongStateError
from pika.spec import Basic

from ordersaga.broker import topology as broker
from ordersaga.envelope.message import Message
from ordersaga.relay.confirms import Confirms, Outcome
from ordersaga.relay.connection import Connection, reason_of
from ordersaga.relay.frames import published
from ordersaga.runtime.logs import log

CONNECT_SECONDS = 20.0
"""Longer than pika's own patience, so that it is pika that gives up and cleans up."""
CLOSE_SECONDS = 2.0
NOT_FOUND = 404
TOO_LARGE = re.compile(r"message size \d+ is larger than (?:configured )?max size (\d+)")


class BrokerAway(Exception):
    """There is no connection to RabbitMQ, or no more; the text is the reason."""


class TooLarge(BrokerAway):
    """The broker closed the channel at the first message with a body of more than `limit` bytes."""

    def __init__(self, limit: int, reason: str) -> None:
        super().__init__(reason)
        self.limit = limit


class Publisher:
    """A connection to RabbitMQ, driven by whoever waits on it; not for use by several threads.

    Single-threaded on purpose: while the caller reads the next page, up to a page of messages is with the broker,
    and a second thread would only contend for the interpreter.
    """

    def __init__(self, amqp_url: str, name: str) -> None:
        self._parameters = broker.parameters(amqp_url, name)
        self._loop: Any = None
        self._connection: Any = None
        self._channel: Any = None
        self._failure: str | None = None
        self._confirms = Confirms()

    @property
    def is_open(self) -> bool:
        return self._channel is not None and self._failure is None

    def connect(self) -> None:
        """Connect, unless connected.

        Raises:
            BrokerAway: that failed.
        """
        if self.is_open:
            return
        self.close()
        self._loop = IOLoop()
        self._loop.activate_poller()
        self._connection = Connection(
            self._parameters,
            on_open_callback=self._on_open,
            on_open_error_callback=lambda _, error: self._fail(error),
            on_close_callback=lambda _, error: self._fail(error),
            custom_ioloop=self._loop,
        )
        self._run(CONNECT_SECONDS, until=lambda: self._channel is not None)
        if self._channel is None:
            raise BrokerAway(f"no answer within {CONNECT_SECONDS:.0f} seconds")

    def close(self) -> None:
        """Say goodbye to the broker, if it is there; harmless when not connected."""
        if self._connection is not None:
            with suppress(ConnectionWrongStateError):
                self._connection.close()
            self._drive(CLOSE_SECONDS, until=lambda: self._connection.is_closed)
            self._loop.close()
        self._loop = self._connection = self._channel = self._failure = None
        self._confirms = Confirms()

    def send(self, messages: Sequence[Message]) -> None:
        """Hand messages to the broker in one write; `settle` tells what became of them.

        Raises:
            BrokerAway: the connection was lost; nothing is known of what is in flight.
        """
        self._check()
        channel, largest_body = self._channel.channel_number, self._connection.largest_body
        self._connection.write(b"".join(published(message, channel, largest_body) for message in messages))
        self._confirms.sent(messages)
        self._run(0, until=lambda: False)

    def settle(self, at_most: int, seconds: float) -> Outcome:
        """Wait until at most so many messages are in flight, one is refused, or the time is over.

        Raises:
            BrokerAway: the connection was lost; nothing is known of what is in flight.
        """
        confirms = self._confirms
        self._run(seconds, until=lambda: confirms.in_flight <= at_most or confirms.refused)
        return confirms.outcome()

    def abandon(self) -> None:
        """Wish to hear no more of what is in flight."""
        self._confirms.abandon()

    def wait(self, seconds: float) -> None:
        """Answer heartbeats for so long.

        Raises:
            BrokerAway: the connection was lost.
        """
        self._run(seconds, until=lambda: False)

    def _run(self, seconds: float, until: Callable[[], bool]) -> None:
        """Drive pika until the condition holds, the time is over, or the connection is lost."""
        self._check()
        self._drive(seconds, until=lambda: self._failure is not None or until())
        self._check()

    def _drive(self, seconds: float, until: Callable[[], bool]) -> None:
        end = time.monotonic() + seconds
        timer = self._loop.call_later(seconds, lambda: None)
        while not until():
            self._loop.poll()
            self._loop.process_timeouts()
            if time.monotonic() >= end:
                break
        self._loop.remove_timeout(timer)

    def _check(self) -> None:
        if self._failure is not None and (found := TOO_LARGE.search(self._failure)):
            raise TooLarge(int(found[1]), self._failure)
        if self._failure is not None or self._connection is None:
            raise BrokerAway(self._failure or "not connected")

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = reason_of(error)
            if isinstance(error, ChannelClosedByBroker) and error.reply_code == NOT_FOUND:
                self._failure += ". Declare the topology: ordersaga topology"

    def _on_open(self, connection: Connection) -> None:
        connection.add_on_connection_blocked_callback(
            lambda _, frame: log.warning("RabbitMQ takes no messages for now", reason=frame.method.reason)
        )
        connection.add_on_connection_unblocked_callback(lambda *_: log.info("RabbitMQ takes messages again"))
        connection.channel(on_open_callback=self._on_channel)

    def _on_channel(self, channel: Any) -> None:
        channel.add_on_close_callback(lambda _, error: self._fail(error))
        channel.add_on_return_callback(self._on_return)

        def ready(_: Any) -> None:
            self._channel = channel

        channel.confirm_delivery(self._on_confirm)
        # Asking for it costs nothing and needs no permission; publishing to what is missing closes the channel.
        channel.exchange_declare(broker.EVENTS, passive=True, callback=ready)

    def _on_return(self, _: Any, method: Basic.Return, properties: pika.BasicProperties, __: bytes) -> None:
        reason = f"{method.reply_code} {method.reply_text}: no queue is bound for {method.routing_key}"
        self._confirms.returned(properties.message_id, reason)

    def _on_confirm(self, frame: Any) -> None:
        take = self._confirms.nacked if isinstance(frame.method, Basic.Nack) else self._confirms.acked
        take(frame.method.delivery_tag, frame.method.multiple)
