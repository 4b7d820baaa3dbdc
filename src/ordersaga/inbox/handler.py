"""Handler: how a consumer group handles the messages of its contracts."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from psycopg import Connection

from ordersaga.envelope.message import ContractData
from ordersaga.inbox.delivery import Received
from ordersaga.inbox.look import Look
from ordersaga.store.cache import NO_CACHE, AggregateCache
from ordersaga.store.lazy_transaction import LazyTransaction


class Handler(Protocol):
    """How a group handles messages: first it looks, then it handles those that are new and wait behind none."""

    @property
    def linger_seconds(self) -> float:
        """How long a small batch waits for more messages, to share a transaction; 0 when latency matters more."""

    @property
    def contracts(self) -> Mapping[str, type[ContractData]]:
        """Contracts by name; a message of any other contract is parked."""

    def known(self, connection: Connection[Any], ids: Sequence[UUID]) -> dict[UUID, bytes]:
        """The messages among these that took effect before: message id -> hash of the event that it announced."""

    def look(self, connection: Connection[Any], messages: Sequence[Received], cache: AggregateCache = NO_CACHE) -> Look:
        """What is known of these messages, whose keys are parked, and what handling them needs.

        Aggregates come from the cache, which belongs to the calling thread, and go back into it after the commit.
        """

    def handle(self, lazy: LazyTransaction, messages: Sequence[Received], look: Look, are_parked: bool = False) -> None:
        """Let new messages take effect, in this order, and record that they have.

        `lazy` commits; it is begun here if one statement does not do. `are_parked` is for messages that a retry takes
        out of the table.
        """
