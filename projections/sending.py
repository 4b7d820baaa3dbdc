"""Answers that take as long as their client takes to read them, which must not cost the others their threads."""

import socket

from flask import request

SEND_SECONDS = 20
"""How long a client may keep a send waiting before its thread is taken back."""


def impatient_socket() -> socket.socket | None:
    """This request's connection, from now on with a limit for each send; None where gunicorn does not serve."""
    found: socket.socket | None = request.environ.get("gunicorn.socket")
    if found:
        found.settimeout(SEND_SECONDS)
    return found
