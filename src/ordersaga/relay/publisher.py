"""Publisher: pipelined confirms over one connection to RabbitMQ."""

import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import cycle
from typing import Any, ClassVar

import pika
from pika.adapters.select_connection import IOLoop
from pika.exceptions import ChannelClosedByBroker, ConnectionWrongStateError
from pika.spec import Basic

from ordersaga.broker import topology as broker
from ordersaga.broker.connecting import was_reset_at_once
from ordersaga.envelope.message import Message
from ordersaga.relay.confirms import Confirms, Outcome
from ordersaga.relay.connection import BatchConnection, reason_of
from ordersaga.relay.copies import Copies
from ordersaga.relay.frames import published

CONNECT_SECONDS = 20.0
"""Longer than pika's own timeout, so that pika gives up and cleans up."""
CLOSE_SECONDS = 2.0
NOT_FOUND = 404
TOO_LARGE_REASON = re.compile(r"message size \d+ is larger than (?:configured )?max size (\d+)")

ROUTING_KEY_REASON = re.compile(r"access to topic '(.*)' in exchange '.*' refused")


ExchangesOf = Callable[[Message], Sequence[str]]
Copy = tuple[Message, str]
"""A message and one of its exchanges."""


def to_events(_: Message) -> Sequence[str]:
    return (broker.EVENTS,)


def never() -> bool:
    return False


class BrokerUnavailable(Exception):
    """There is no connection to RabbitMQ, or it was lost; the text is the reason."""


class MessageRefused(BrokerUnavailable):
    """The broker closed the channel because of a message; the text is its reason."""

    kind: ClassVar[str]
    """Of the undeliverable message."""

    def concerns(self, message: Message, size: int) -> bool:
        """Whether the broker refuses this message, with a body of `size` bytes."""
        raise NotImplementedError


class MessageTooLarge(MessageRefused):
    """The body has more than `limit` bytes."""

    kind = "too_large"

    def __init__(self, limit: int, reason: str) -> None:
        super().__init__(reason)
        self.limit = limit

    def concerns(self, message: Message, size: int) -> bool:
        return size > self.limit


class RoutingKeyRefused(MessageRefused):
    """The relay's user may not publish this routing key: the broker's topic permissions are for other contracts."""

    kind = "returned"

    def __init__(self, routing_key: str, reason: str) -> None:
        super().__init__(reason)
        self.routing_key = routing_key

    def concerns(self, message: Message, size: int) -> bool:
        return message.routing_key == self.routing_key


class Publisher:
    """A connection to RabbitMQ, driven by the thread that waits on it; not thread-safe.

    Single-threaded on purpose: while the caller reads the next page, up to a page of messages is with the broker,
    and a second thread would only contend for the interpreter.
    """

    def __init__(self, amqp_url: str, name: str) -> None:
        nodes = broker.parameters(amqp_url, name)
        for node in nodes:
            # One that gives up while it is blocked has to send all again, and is blocked again; heartbeats find a dead
            # broker.
            node.blocked_connection_timeout = None
            # A blocked broker reads nothing for as long as it likes; `is_host_gone` finds a host that has vanished.
            del node.tcp_options["TCP_USER_TIMEOUT"]
        self._nodes = cycle(nodes)
        self._loop: Any = None
        self._connection: Any = None
        self._channel: Any = None
        self._failure: str | None = None
        self._confirms = Confirms()
        self._copies = Copies()
        self.blocked = ""
        """Why the broker takes no messages from publishers, such as `low on disk`; empty: it takes them."""

    @property
    def is_open(self) -> bool:
        return self._channel is not None and self._failure is None

    def connect(self) -> None:
        """Connect, unless connected.

        Raises:
            BrokerUnavailable: the connection failed.
        """
        if self.is_open:
            return
        self.close()
        self._loop = IOLoop()
        self._loop.activate_poller()
        self._connection = BatchConnection(
            next(self._nodes),
            on_open_callback=self._on_open,
            on_open_error_callback=lambda _, error: self._fail(error),
            on_close_callback=lambda _, error: self._fail(error),
            custom_ioloop=self._loop,
        )
        try:
            self._run(CONNECT_SECONDS, until=lambda: self._channel is not None)
        except ValueError as error:
            if not was_reset_at_once(error):
                raise
            raise BrokerUnavailable(str(error.__context__)) from error
        if self._channel is None:
            raise BrokerUnavailable(f"no answer within {CONNECT_SECONDS:.0f} seconds")

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Close the connection, and wait so long for the broker's answer; harmless when not connected."""
        if self._connection is not None:
            with suppress(ConnectionWrongStateError):
                self._connection.close()
            self._drive(seconds, until=lambda: self._connection.is_closed)
            self._connection.abandon()
            self._loop.close()
        self._loop = self._connection = self._channel = self._failure = None
        self._confirms, self._copies = Confirms(), Copies()
        self.blocked = ""

    def send(self, messages: Sequence[Message], exchanges_of: ExchangesOf | None = None) -> None:
        """Send messages in one write; `settle` returns their results.

        Args:
            exchanges_of: returns the exchanges that get a copy of a message, at least one; None: all go to `events`.

        Raises:
            BrokerUnavailable: the connection was lost; messages in flight may or may not have been stored.
        """
        self._check()
        if exchanges_of or self._copies:
            copies = self._copied(messages, exchanges_of or to_events)
        else:
            copies = [(message, broker.EVENTS) for message in messages]
        self._write(copies)
        self._confirms.sent([message for message, _ in copies])
        self._run(0, until=never)

    def _write(self, copies: Sequence[Copy]) -> None:
        channel, max_body_bytes = self._channel.channel_number, self._connection.max_body_bytes
        frames = (published(message, channel, max_body_bytes, exchange) for message, exchange in copies)
        self._connection.write(b"".join(frames))

    def _copied(self, messages: Sequence[Message], exchanges_of: ExchangesOf) -> list[Copy]:
        """Each message with each of its exchanges."""
        routed = [(message, exchanges_of(message)) for message in messages]
        self._copies.sent(len(exchanges) for _, exchanges in routed)
        return [(message, exchange) for message, exchanges in routed for exchange in exchanges]

    def settle(self, at_most: int, seconds: float, woken: Callable[[], bool] = never) -> Outcome:
        """Wait until at most `at_most` messages are in flight, one is refused, `woken()`, or the time is over.

        Raises:
            BrokerUnavailable: the connection was lost; messages in flight may or may not have been stored.
        """
        confirms = self._confirms
        self._run(seconds, until=lambda: confirms.in_flight <= at_most or confirms.refused or woken())
        return self._copies.of_messages(confirms.outcome())

    def unconfirmed(self) -> list[Message]:
        """The messages in flight of which the broker has said nothing; later ones may be confirmed."""
        return self._confirms.unconfirmed

    def drop_in_flight(self) -> None:
        """Drop the state of in-flight messages; late confirms are ignored."""
        self._confirms.drop_in_flight()
        self._copies.clear()

    def wait(self, seconds: float, woken: Callable[[], bool] = never) -> None:
        """Answer heartbeats for this long, or until `woken()`.

        Raises:
            BrokerUnavailable: the connection was lost.
        """
        self._run(seconds, until=woken)

    def watch(self, socket: int, read: Callable[[], None]) -> None:
        """Read from another socket too when data arrives, and look then whether a wait is over."""
        self._loop.add_handler(socket, lambda *_: read(), IOLoop.READ)

    def unwatch(self, socket: int) -> None:
        """No longer watch a socket; harmless when it is closed."""
        with suppress(OSError):
            self._loop.remove_handler(socket)

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
        if self._failure is None and self._connection.is_host_gone:
            self._failure = "the kernel of the broker's host no longer answers"

    def _check(self) -> None:
        if self._failure is not None and (found := TOO_LARGE_REASON.search(self._failure)):
            raise MessageTooLarge(int(found[1]), self._failure)
        if self._failure is not None and (found := ROUTING_KEY_REASON.search(self._failure)):
            raise RoutingKeyRefused(found[1], self._failure)
        if self._failure is not None or self._connection is None:
            raise BrokerUnavailable(self._failure or "not connected")

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = reason_of(error)
            if isinstance(error, ChannelClosedByBroker) and error.reply_code == NOT_FOUND:
                self._failure += ". Declare the topology: ordersaga topology"

    def _on_open(self, connection: BatchConnection) -> None:
        connection.add_on_connection_blocked_callback(lambda _, frame: self._set_blocked(frame.method.reason))
        connection.add_on_connection_unblocked_callback(lambda *_: self._set_blocked(""))
        connection.channel(on_open_callback=self._on_channel)

    def _set_blocked(self, reason: str) -> None:
        self.blocked = reason

    def _on_channel(self, channel: Any) -> None:
        channel.add_on_close_callback(lambda _, error: self._fail(error))
        channel.add_on_return_callback(self._on_return)

        def ready(_: Any) -> None:
            self._channel = channel

        channel.confirm_delivery(self._on_confirm)
        # A passive declare costs nothing and needs no permission; publishing to a missing exchange closes the channel.
        channel.exchange_declare(broker.EVENTS, passive=True, callback=ready)

    def _on_return(self, _: Any, method: Basic.Return, properties: pika.BasicProperties, __: bytes) -> None:
        reason = f"{method.reply_code} {method.reply_text}: no queue is bound for {method.routing_key}"
        self._confirms.returned(properties.message_id, reason)

    def _on_confirm(self, frame: Any) -> None:
        settle = self._confirms.nacked if isinstance(frame.method, Basic.Nack) else self._confirms.acked
        settle(frame.method.delivery_tag, frame.method.multiple)
