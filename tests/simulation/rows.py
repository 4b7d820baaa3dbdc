"""The rows of the model's tables, with the columns that decisions depend on."""

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

from ordersaga.envelope.message import Cause, Message, to_row
from ordersaga.relay.window import Cursor

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HASH = sha256(b"").digest()
CAUSE = Cause(UUID(int=1), actor="simulation")
BODY = "{}"


class OutboxRow(NamedTuple):
    position: int
    xid: int
    message: Message
    columns: tuple[Any, ...]
    """Of the message, as every table has them."""
    size: int


def outbox_row(position: int, xid: int, message: Message) -> OutboxRow:
    return OutboxRow(position, xid, message, to_row(message), len(message.body))


def message_of(number: int, key: str, sequence: int, contract: str) -> Message:
    """The message with this number; another one has another id."""
    return Message(UUID(int=number), contract, "counting", key, sequence, NOON, HASH, CAUSE, BODY)


@dataclass(frozen=True, slots=True)
class DetachedRow:
    queue: str
    audience: str
    partitions: tuple[int, ...]
    lacked_from: str
    cursor: Cursor
    since: datetime


@dataclass(frozen=True, slots=True)
class UndeliverableRow:
    """A row of the outbox that was refused, or waits for one."""

    row: OutboxRow
    kind: str
    attempts: int
    next_attempt_at: float | None
