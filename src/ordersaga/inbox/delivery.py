"""Delivery: a message as the broker delivers it, and the contract data in it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID, uuid5

from ordersaga.envelope.limits import MAX_CONTRACT, MAX_KEY
from ordersaga.envelope.message import NAMESPACE, ContractData, Message, UnreadableMessage, read_envelope, with_body
from ordersaga.envelope.versions import read_as
from ordersaga.inbox.headers import as_json

if TYPE_CHECKING:
    from ordersaga.otel.span import Span

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
    called: bool = False
    """Whether an attempt at the message, while it was parked, may have made the call of its outside step."""

    @property
    def is_suspect(self) -> bool:
        return self.delivered_before >= SUSPECT


class UnknownContract(UnreadableMessage):
    """This worker does not know the contract; one that was deployed later may."""


class ForeignSource(UnreadableMessage):
    """A service announced the contract of another."""


class KeyMismatch(UnreadableMessage):
    """Routing key, envelope and body do not name the same contract and key, so no key can vouch for the message."""


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
    """Upcast to the version that the group reacts to; `message` is as it was sent."""
    answer: Any = NO_ANSWER
    failure: Exception | None = None
    """What the outside step raised in place of an answer."""
    operation: str = ""
    """Resource and operation that the outside step has called or wants to call, as `resource/operation`."""
    called: bool = False
    """Whether the call has begun."""
    behind: list[str] = field(default_factory=list)
    """Contracts of the messages of its key that wait in hand behind it, in order."""
    span: "Span | None" = None
    """From the first step with it until it took effect or is parked; None unless its trace is recorded."""

    @property
    def may_have_called(self) -> bool:
        """Whether its outside step may have been called, by this delivery, an earlier one or a parked attempt."""
        return self.called or self.delivery.called or self.delivery.delivered_before > 0

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
    """A message that cannot be handled; if its key is known, it blocks the later messages of the key.

    Its id is computed from its content: an envelope that cannot be proven holds no `ce-id`, which the real
    message needs. `claimed` is the envelope that the message has when its contract becomes known or its body is mended.
    """

    delivery: Delivery
    reason: UnreadableMessage
    claimed: Message | None = None
    key: str | None = None

    @property
    def id(self) -> UUID:
        """The same for a redelivery, and for a message that its source announces again."""
        body = sha256(self.delivery.body).hexdigest()
        if self.claimed:
            return uuid5(NAMESPACE, f"{self.claimed.id}/{self.claimed.event_hash.hex()}/{body}")
        # The broker's own headers change.
        own = {name: value for name, value in as_json(self.delivery.headers).items() if not name.startswith("x-")}
        return uuid5(NAMESPACE, f"{json.dumps(own, sort_keys=True)}/{body}")

    @property
    def contract(self) -> str | None:
        kind = self.delivery.headers.get("ce-type")
        return kind[:MAX_CONTRACT] if isinstance(kind, str) else None

    @property
    def is_unknown(self) -> bool:
        """Whether it waits for a worker that knows its contract, and not for a person."""
        return isinstance(self.reason, UnknownContract)


UNKNOWN = (
    "contract {} is not known to this worker: it is held, with all behind it of its key, until a worker runs that "
    "knows it. If nobody is to react to it here, run `ordersaga topology --prune` and skip it"
)
FOREIGN = "{} is announced by {} alone, this message says that {} announced it"


def read(delivery: Delivery, contracts: Mapping[str, type[ContractData]]) -> Received | Broken:
    """Read a message, check it against its contract and upcast it; no message makes it raise.

    `contracts` has, by name, the contract that a message is read as: that of the name or a newer version.
    """
    try:
        message = read_envelope(delivery.headers)
    except UnreadableMessage as error:
        return Broken(delivery, error)
    contract = contracts.get(message.contract)
    if not delivery.dead_lettered and delivery.routing_key != message.routing_key:
        routed = KeyMismatch(f"the routing key is {delivery.routing_key}, that of its envelope {message.routing_key}")
        return Broken(delivery, routed)
    if contract is not None and message.source != contract.SOURCE:
        return Broken(delivery, ForeignSource(FOREIGN.format(message.contract, contract.SOURCE, message.source)))
    if delivery.dead_lettered:
        return Broken(delivery, DeadLettered(delivery.dead_lettered), message, message.key)
    if contract is None:
        return Broken(delivery, UnknownContract(UNKNOWN.format(message.contract)), message, message.key)
    return read_body(delivery, message, contract)


def read_body(delivery: Delivery, envelope: Message, contract: type[ContractData]) -> Received | Broken:
    """A body that cannot be read blocks its key, which its own source named."""
    try:
        message = with_body(envelope, delivery.body)
        data = read_as(contract, message.contract, message.body)
        key = str(getattr(data, data.KEY))
    except UnreadableMessage as error:
        return Broken(delivery, error, envelope, envelope.key)
    except Exception as error:  # noqa: BLE001 - the validators of a contract may raise anything
        reason = UnreadableMessage(f"the body is not a {envelope.contract}: {error}")
        return Broken(delivery, reason, envelope, envelope.key)
    if key != message.key:
        return Broken(
            delivery, KeyMismatch(f"its {data.KEY} is {key[:MAX_KEY]}, but the message is of the key {message.key}")
        )
    return Received(delivery, message, data)
