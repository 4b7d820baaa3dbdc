"""Reading: whether a connection takes data from its socket; what stays there slows the broker down."""

import time
from typing import Any

from pika.adapters.blocking_connection import BlockingConnection

GLANCE_SECONDS = 15.0
"""Between two glances at a socket that is not read: pika ends a connection that brings no byte for 35 s."""
GLANCE_BYTES = 4096


class Reading:
    """Switches reading off and on; timers run and heartbeats are sent also while it is off.

    A consumer cannot ask the broker to send less: RabbitMQ has no `channel.flow`, a prefetch counts messages, and a
    cancelled subscription of a quorum queue loses its order. So the socket is left unread, and TCP holds the broker
    back. `_impl`, `_transport` and `_nbio` are private to pika 1; pyproject.toml excludes pika 2.
    """

    def __init__(self, connection: BlockingConnection) -> None:
        self._connection: Any = connection._impl
        transport: Any = connection._impl._transport
        self._transport = transport
        self._nbio: Any = transport._nbio
        self._read = transport._on_socket_readable
        self._next_glance = 0.0
        self.is_on = True
        # A TLS connection calls this also without a readable socket, for what it has decrypted.
        transport._on_socket_readable = self._on_readable

    def _on_readable(self) -> None:
        if self.is_on:
            self._read()

    def switch(self, on: bool) -> None:
        """Read from now on, or leave the socket unread but for a glance now and then."""
        if self._transport._sock is None:
            return  # The connection is lost; the next exchange raises.
        descriptor = self._transport._sock.fileno()
        if on and not self.is_on:
            self.is_on = True
            self._nbio.set_reader(descriptor, self._on_readable)
            self._nbio.add_callback_threadsafe(self._on_readable)
        elif not on and self.is_on:
            self.is_on = False
            self._nbio.remove_reader(descriptor)
            self._next_glance = time.monotonic() + GLANCE_SECONDS
        elif not on and time.monotonic() > self._next_glance:
            self._next_glance = time.monotonic() + GLANCE_SECONDS
            self._glance()

    def _glance(self) -> None:
        """Read a few bytes, so that pika sees that the broker is there; by itself it counts whole frames only."""
        before = len(self._connection._frame_buffer)
        self._transport._MAX_CONSUME_BYTES = GLANCE_BYTES
        try:
            self._read()
        finally:
            del self._transport._MAX_CONSUME_BYTES
        if len(self._connection._frame_buffer) != before:
            self._connection.bytes_received += 1
