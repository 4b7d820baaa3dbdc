"""Rows of an outbox that nobody has stored, and the outcome when the broker has said nothing."""

from datetime import UTC, datetime
from uuid import uuid4

from ordersaga.envelope.message import Cause, Message
from ordersaga.relay.confirms import Outcome
from ordersaga.relay.window import Outgoing

CONTRACT = "a.happened.v1"
NOTHING = Outcome(0, ())


def row(position: int, key: str = "", size: int = 10, contract: str = CONTRACT) -> Outgoing:
    """With a key of its own, unless one is given."""
    key = key or f"key {position}"
    message = Message(uuid4(), contract, "a", key, position, datetime.now(UTC), bytes(32), Cause(uuid4()), "{}")
    return Outgoing(position, message, size)
