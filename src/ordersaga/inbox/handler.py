"""Handler: how a consumer group handles the messages of its contracts."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from psycopg import Connection

from ordersaga.envelope.message import ContractData
from ordersaga.inbox.delivery import Received


class Handler(Protocol):
    """How a group handles messages. Both methods run in the caller's transaction."""

    @property
    def linger_seconds(self) -> float:
        """How long a small batch waits for more messages, to share a transaction; 0 when latency matters more."""

    @property
    def contracts(self) -> Mapping[str, type[ContractData]]:
        """Contracts by name; a message of any other contract is parked."""

    def known(self, connection: Connection[Any], ids: Sequence[UUID]) -> dict[UUID, bytes]:
        """The messages among these that took effect before: message id -> hash of the event that it announced."""

    def handle(self, connection: Connection[Any], messages: Sequence[Received]) -> None:
        """Let new messages take effect, in this order, and record that they have."""
