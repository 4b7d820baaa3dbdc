"""Delivery: a message as the broker delivers it, and the contract data in it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from ordersaga.envelope.message import NAMESPACE, ContractData, Message, UnreadableMessage, from_headers, read_envelope

SUSPECT = 2
"""Deliveries without an acknowledgement after which the message may be what kills the process."""


class Delivery(NamedTuple):
    """Headers and body as they arrived; `tag` acknowledges them on the channel of `queue`."""

    tag: int
    routing_key: str
    headers: Mapping[str, Any]
    body: bytes
    delivered_before: int = 0
    dead_lettered: str = ""
    """Why the broker dead-lettered the message; empty if it did not."""
    queue: str = ""

    @property
    def is_suspect(self) -> bool:
        return self.delivered_before >= SUSPECT


class UnknownContract(UnreadableMessage):
    """This group has no reaction to the contract of the message."""


class DeadLettered(UnreadableMessage):
    """The broker dead-lettered the message."""


class NoAnswer(Exception):
    """The outside step was left out because the key was parked; it no longer is, so a retry helps."""


NO_ANSWER = object()


@dataclass(slots=True)
class Received:
    """A message that can be handled, and the answer of its outside step."""

    delivery: Delivery
    message: Message
    data: ContractData
    answer: Any = NO_ANSWER
    failure: Exception | None = None
    """What the outside step raised in place of an answer."""

    def require_answer(self) -> Any:
        """Raises NoAnswer when the step was left out."""
        if self.answer is NO_ANSWER:
            raise NoAnswer
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
    """A message that cannot be handled; if its key is known, it blocks the later messages of the key."""

    delivery: Delivery
    id: UUID
    key: str | None
    contract: str | None
    reason: UnreadableMessage


def read(delivery: Delivery, contracts: Mapping[str, type[ContractData]]) -> Received | Broken:
    """Read the message in an envelope and check it against its contract."""
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
    """A broken message; its key and contract are known if only the body is unreadable."""
    try:
        envelope = read_envelope(delivery.headers)
    except UnreadableMessage:
        return Broken(delivery, id_of(delivery), None, text_or_none(delivery.headers.get("ce-type")), reason)
    key = envelope.key if envelope.contract in contracts else None
    return Broken(delivery, envelope.id, key, envelope.contract, reason)


def id_of(delivery: Delivery) -> UUID:
    """The id in the headers, else one computed from headers and body, so that a redelivery has the same id."""
    try:
        return UUID(delivery.headers["ce-id"])
    except (KeyError, ValueError, TypeError, AttributeError):
        own = {name: value for name, value in delivery.headers.items() if not name.startswith("x-")}
        return uuid5(NAMESPACE, json.dumps([own, delivery.body.hex()], sort_keys=True, default=repr))


def text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) else None
