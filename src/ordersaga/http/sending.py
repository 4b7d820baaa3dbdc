"""A time limit for answers that are sent as fast as their client reads them."""

import socket

from flask import request

SEND_SECONDS = 20
"""How long one send may wait for the client, whose thread then serves others."""


def set_send_timeout() -> socket.socket | None:
    """Give each send of this request a time limit. Returns the connection; None where gunicorn does not serve."""
    found: socket.socket | None = request.environ.get("gunicorn.socket")
    if found:
        found.settimeout(SEND_SECONDS)
    return found
