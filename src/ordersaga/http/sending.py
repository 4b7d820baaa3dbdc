"""The send timeout of responses that are streamed as fast as their client reads them."""

import socket

from flask import request

SEND_SECONDS = 20
"""How long one send may wait for the client; then its thread serves others."""


def set_send_timeout() -> socket.socket | None:
    """Set the timeout on the connection of this request. Returns the connection; None outside gunicorn."""
    found: socket.socket | None = request.environ.get("gunicorn.socket")
    if found:
        found.settimeout(SEND_SECONDS)
    return found
