"""Handler: what a consumer group does with the messages of its contracts."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from psycopg import Connection

from ordersaga.envelope.message import ContractData
from ordersaga.inbox.delivery import Received


class Handler(Protocol):
    """What a group does with messages. Both methods run in a transaction of the caller's."""

    @property
    def patience(self) -> float:
        """Seconds for which a few messages may wait for more, to share a transaction; 0 where others wait for them."""

    @property
    def contracts(self) -> Mapping[str, type[ContractData]]:
        """By name; a message of any other contract is parked."""

    def known(self, connection: Connection[Any], ids: Sequence[UUID]) -> dict[UUID, bytes]:
        """Those of these messages that took effect before, with the hash of the event that each announced."""

    def handle(self, connection: Connection[Any], messages: Sequence[Received]) -> None:
        """Let new messages take effect, in this order, and write down that they have."""
