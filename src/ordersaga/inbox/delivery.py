"""A message as the broker hands it over, and what can be read of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from ordersaga.envelope.message import NAMESPACE, ContractData, Message, UnreadableMessage, from_headers

SUSPECT = 2
"""Deliveries without an end after which a message may be what kills the process."""


class Delivery(NamedTuple):
    """Headers and body as they came; `tag` is what acknowledges them on the channel of `queue`."""

    tag: int
    routing_key: str
    headers: Mapping[str, Any]
    body: bytes
    delivered_before: int = 0
    dead_lettered: str = ""
    """Why the broker gave the message up; empty for one that it has not."""
    queue: str = ""

    @property
    def is_suspect(self) -> bool:
        return self.delivered_before >= SUSPECT


class UnknownContract(UnreadableMessage):
    """This group has no use for messages of this contract."""


class DeadLettered(UnreadableMessage):
    """The broker gave the message up."""


class NotAsked(Exception):
    """The outside step was left out because the key was parked, which it no longer is: try again."""


NOT_ASKED = object()


@dataclass(slots=True)
class Received:
    """A message that can be handled, and what its outside step answered."""

    delivery: Delivery
    message: Message
    data: ContractData
    answer: Any = NOT_ASKED
    failure: Exception | None = None
    """What the outside step raised instead of answering."""

    def require_answer(self) -> Any:
        """Raises NotAsked when there is none."""
        if self.answer is NOT_ASKED:
            raise NotAsked
        return self.answer

    @property
    def id(self) -> UUID:
        return self.message.id

    @property
    def key(self) -> str:
        return self.message.key

    @property
    def contract(self) -> str:
        return self.message.contract


@dataclass(slots=True)
class Broken:
    """A message that cannot be handled; with a key it blocks what comes after it of that key."""

    delivery: Delivery
    id: UUID
    key: str | None
    contract: str | None
    reason: UnreadableMessage


def read(delivery: Delivery, contracts: Mapping[str, type[ContractData]]) -> Received | Broken:
    """The message in an envelope, checked against its contract."""
    try:
        message = from_headers(delivery.headers, delivery.body)
    except UnreadableMessage as error:
        return broken(delivery, contracts, error)
    contract = contracts.get(message.contract)
    if contract is None:
        unknown = UnknownContract(f"contract {message.contract} is not known here")
        return Broken(delivery, message.id, None, message.contract, unknown)
    if delivery.dead_lettered:
        return Broken(delivery, message.id, message.key, message.contract, DeadLettered(delivery.dead_lettered))
    try:
        return Received(delivery, message, contract.model_validate_json(message.body))
    except ValueError as error:
        reason = UnreadableMessage(f"the body is not a {message.contract}: {error}")
        return Broken(delivery, message.id, message.key, message.contract, reason)


def broken(delivery: Delivery, contracts: Mapping[str, type[ContractData]], reason: UnreadableMessage) -> Broken:
    """Key and contract are known if only the body is unreadable."""
    try:
        envelope = from_headers(delivery.headers, b"")
    except UnreadableMessage:
        return Broken(delivery, id_of(delivery), None, text_or_none(delivery.headers.get("ce-type")), reason)
    key = envelope.key if envelope.contract in contracts else None
    return Broken(delivery, envelope.id, key, envelope.contract, reason)


def id_of(delivery: Delivery) -> UUID:
    """The id in the headers, else one computed from headers and body, so that a redelivery has the same."""
    try:
        return UUID(delivery.headers["ce-id"])
    except (KeyError, ValueError, TypeError, AttributeError):
        own = {name: value for name, value in delivery.headers.items() if not name.startswith("x-")}
        return uuid5(NAMESPACE, json.dumps([own, delivery.body.hex()], sort_keys=True, default=repr))


def text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) else None
