"""The connection on which a response is sent, and the limit of a send to a client that does not read."""

from contextvars import ContextVar
from socket import socket
from typing import Any

SEND_SECONDS = 20
"""How long one send may wait for the client; then its thread serves others."""

connection: ContextVar[Any] = ContextVar("connection", default=None)
"""The `request_worker.Connection` of this thread's request; None outside gunicorn."""


def begin_stream() -> socket | None:
    """Let the response take as long as its client goes on reading. Returns the socket; None outside gunicorn."""
    conn = connection.get()
    if conn is None:
        return None
    conn.is_stream = True
    sock: socket = conn.sock
    return sock
