"""The envelope: CloudEvents 1.0, converted to and from table rows and AMQP 0-9-1 in binary mode."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar, Protocol
from uuid import UUID, uuid5
from zlib import crc32

from pika import BasicProperties

from ordersaga.envelope.limits import HASH_BYTES, MAX_BODY, body_violation, text_violation, violation
from ordersaga.envelope.trace_context import valid_traceparent, valid_tracestate

PARTITIONS = 16
NAMESPACE = UUID("0c1f7f6e-6f0f-5c0e-9d4a-1d3f5b7a9c2e")
PERSISTENT = 2
CONTENT_TYPE = "application/json"
MALFORMED = "header or body is malformed"


class ContractData(Protocol):
    """The protocol of a contract; pydantic models with NAME, SOURCE and KEY satisfy it."""

    NAME: ClassVar[str]
    SOURCE: ClassVar[str]
    KEY: ClassVar[str]

    def model_dump_json(self) -> str: ...

    @classmethod
    def model_validate_json(cls, json_data: str | bytes) -> "ContractData": ...


class UnreadableMessage(ValueError):
    """The envelope of a message is malformed, or its body violates the contract; the text names the part.

    A message whose reaction raises it is parked for a person at once, without further attempts.
    """


@dataclass(frozen=True, slots=True)
class Cause:
    """The cause of events and messages: passed on from the request to every message that follows from it.

    A request begins one, `Cause(uuid4(), actor="ada")`; within a reaction it is `transaction.cause`.
    """

    correlation_id: UUID
    """Shared by all events and messages that follow from one request."""
    causation_id: UUID | None = None
    """The id of the message that caused them; None when a request did."""
    actor: str = ""
    """The person or process that sent the request, such as the subject of the token."""
    traceparent: str = ""
    """W3C trace context; empty when the first caller sent none, or a malformed one, and no trace was begun."""
    tracestate: str = ""

    def __post_init__(self) -> None:
        """Drop a malformed trace, as W3C asks: no trace can make a message unreadable or a log line fail."""
        if self.traceparent or self.tracestate:
            traceparent = valid_traceparent(self.traceparent)
            object.__setattr__(self, "traceparent", traceparent)
            if self.tracestate:
                object.__setattr__(self, "tracestate", valid_tracestate(self.tracestate) if traceparent else "")


@dataclass(frozen=True, slots=True)
class Message:
    """One announcement, whether as an outbox row, an AMQP message or an inbox row.

    A reaction gets the contract in the body; `announce` returns the message.
    """

    id: UUID
    """Every inbox accepts an id once."""
    contract: str
    """Name of the contract."""
    source: str
    """The announcing service."""
    key: str
    """Messages of one key arrive in the order in which they were announced."""
    sequence: int
    """Version of the aggregate that the announced event made; 0 without an event."""
    time: datetime
    """When it was announced, UTC."""
    event_hash: bytes
    """SHA-256 of the stored event, or else of the content: the same id with another hash is a forked history."""
    cause: Cause
    body: str
    """The contract as JSON."""

    @property
    def partition(self) -> int:
        return partition_of(self.key)

    @property
    def routing_key(self) -> str:
        return f"{self.contract}.{self.partition:02d}"

    def caused_by_this(self) -> Cause:
        """The cause of the events and messages of a reaction to this message."""
        cause = self.cause
        return Cause(cause.correlation_id, self.id, cause.actor, cause.traceparent, cause.tracestate)


def partition_of(key: str) -> int:
    """One of 16 fixed partitions, by CRC-32, which is the same in every language and version."""
    return crc32(key.encode()) % PARTITIONS


def message_id(service: str, aggregate_id: UUID, version: int, contract: str) -> UUID:
    """The id of an announcement: the same whenever it is derived from the event store.

    `contract` is the name of its first version, so that a later version of the code derives the same id.
    """
    return uuid5(NAMESPACE, f"{service}/{aggregate_id}/{version}/{contract}")


COLUMNS = {
    "message_id": "uuid",
    "contract": "text",
    "source": "text",
    "key": "text",
    "sequence": "bigint",
    "time": "timestamptz",
    "event_hash": "bytea",
    "correlation_id": "uuid",
    "causation_id": "uuid",
    "actor": "text",
    "traceparent": "text",
    "tracestate": "text",
    "body": "text",
}
"""The columns of a message in every table that stores messages, and their types, in the order of `to_row`."""


def to_row(message: Message) -> tuple[Any, ...]:
    cause = message.cause
    return (
        message.id,
        message.contract,
        message.source,
        message.key,
        message.sequence,
        message.time,
        message.event_hash,
        cause.correlation_id,
        cause.causation_id,
        cause.actor,
        cause.traceparent,
        cause.tracestate,
        message.body,
    )


def from_row(row: Iterable[Any]) -> Message:
    id_, contract, source, key, sequence, time, event_hash, correlation, causation, actor, parent, state, body = row
    cause = Cause(correlation, causation, actor, parent, state)
    return Message(id_, contract, source, key, sequence, time, event_hash, cause, body)


def to_headers(message: Message) -> dict[str, str]:
    """The `ce-*` and trace headers of a message."""
    cause = message.cause
    headers = {
        "ce-specversion": "1.0",
        "ce-id": str(message.id),
        "ce-source": message.source,
        "ce-type": message.contract,
        "ce-subject": message.key,
        "ce-time": message.time.isoformat(),
        "ce-dataschema": f"urn:contract:{message.contract}",
        "ce-sequence": str(message.sequence),
        "ce-partitionkey": message.key,
        "ce-eventhash": message.event_hash.hex(),
        "ce-correlationid": str(cause.correlation_id),
        "ce-actor": cause.actor,
    }
    if cause.causation_id is not None:
        headers["ce-causationid"] = str(cause.causation_id)
    if cause.traceparent:
        headers["traceparent"] = cause.traceparent
    if cause.tracestate:
        headers["tracestate"] = cause.tracestate
    return headers


def to_properties(message: Message) -> BasicProperties:
    """AMQP properties and headers of a message; its body is sent unchanged."""
    headers = to_headers(message)
    return BasicProperties(
        content_type=CONTENT_TYPE,
        delivery_mode=PERSISTENT,
        message_id=headers["ce-id"],
        correlation_id=headers["ce-correlationid"],
        type=message.contract,
        headers=headers,
    )


def read_envelope(headers: Mapping[str, Any]) -> Message:
    """Read a message without its body, which is empty.

    Raises:
        UnreadableMessage: a header is missing, malformed or beyond the limits.
    """
    try:
        message = parse_headers(headers)
    except KeyError as missing:
        raise UnreadableMessage(f"header {missing.args[0]} is missing") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise UnreadableMessage(f"{MALFORMED}: {error}") from error
    reason = violation(message)
    if reason:
        raise UnreadableMessage(f"{MALFORMED}: {reason}")
    return message


def with_body(envelope: Message, data: bytes) -> Message:
    """The message with its body.

    Raises:
        UnreadableMessage: the body is no text, beyond the limits, or no JSON object that every reader can store.
    """
    try:
        body = data.decode()
    except UnicodeDecodeError as error:
        raise UnreadableMessage(f"{MALFORMED}: {error}") from None
    if reason := text_violation("body", body, MAX_BODY):
        raise UnreadableMessage(f"{MALFORMED}: {reason}")
    if reason := body_violation(body):
        raise UnreadableMessage(f"the body is not a {envelope.contract}: it {reason}")
    return replace(envelope, body=body)


def parse_headers(headers: Mapping[str, Any]) -> Message:
    """Raises KeyError, ValueError, TypeError, AttributeError."""
    causation_id = headers.get("ce-causationid")
    return Message(
        id=UUID(headers["ce-id"]),
        contract=text(headers["ce-type"]),
        source=text(headers["ce-source"]),
        key=key_of(headers),
        sequence=int(matching(headers["ce-sequence"], DECIMAL)),
        time=datetime.fromisoformat(headers["ce-time"]),
        event_hash=bytes.fromhex(matching(headers["ce-eventhash"], HEX)),
        cause=Cause(
            correlation_id=UUID(headers["ce-correlationid"]),
            causation_id=UUID(causation_id) if causation_id else None,
            actor=text(headers.get("ce-actor", "")),
            traceparent=text_or_empty(headers.get("traceparent")),
            tracestate=text_or_empty(headers.get("tracestate")),
        ),
        body="",
    )


HEX = re.compile(f"[0-9a-fA-F]{{{2 * HASH_BYTES}}}")
DECIMAL = re.compile("[0-9]{1,19}")


def matching(value: Any, pattern: re.Pattern[str]) -> str:
    """The digits in a header; without the signs, spaces and underscores that Python would accept."""
    if not pattern.fullmatch(text(value)):
        raise ValueError(f"{value[:100]!r} does not match {pattern.pattern}")
    return str(value)


def key_of(headers: Mapping[str, Any]) -> str:
    """The key. Raises ValueError when the partition key, which is the key, is another one."""
    key = text(headers["ce-subject"])
    if headers.get("ce-partitionkey", key) != key:
        raise ValueError("ce-partitionkey is not ce-subject")
    return key


def text(value: Any) -> str:
    """The value of a header that is text."""
    if not isinstance(value, str):
        raise ValueError(f"{type(value).__name__} instead of text")
    return value


def text_or_empty(value: Any) -> str:
    return value if isinstance(value, str) else ""
