"""A whole message from its headers and body; a consumer reads them one after the other."""

from collections.abc import Mapping
from typing import Any

from ordersaga.envelope.message import Message, read_envelope, with_body


def from_headers(headers: Mapping[str, Any], body: bytes) -> Message:
    """Raises UnreadableMessage."""
    return with_body(read_envelope(headers), body)
