"""The connection on which a response is sent, and the limit of a send to a client that does not read."""

from contextvars import ContextVar
from socket import socket
from typing import Any

SEND_SECONDS = 20
"""How long one send of a stream may wait for the client; then its thread serves others."""

connection: ContextVar[Any] = ContextVar("connection", default=None)
"""The `connection.Connection` of this thread's request; None outside gunicorn."""


def begin_stream() -> socket | None:
    """Let the response take as long as its client goes on reading. Returns the socket; None outside gunicorn."""
    conn = connection.get()
    if conn is None:
        return None
    sock: socket = conn.sock
    conn.sock.is_stream = True
    sock.settimeout(SEND_SECONDS)
    return sock
