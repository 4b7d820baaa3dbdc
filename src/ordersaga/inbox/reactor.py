"""Reactor: the handler that runs a service's reactions to a whole batch in one transaction."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg import Connection

from ordersaga.inbox.delivery import Received
from ordersaga.inbox.reactions import Reactions
from ordersaga.runtime.errors import TooManyLocks
from ordersaga.store.announcements import Announcements
from ordersaga.store.transaction import Transaction

MAX_LOCKS = 1000
"""The most locks on shared aggregates that one transaction takes, unless a single message needs more.

All sessions of a server share room for max_locks_per_transaction * max_connections locks: 6,400 as it is installed."""

KNOWN = "select message_id, event_hash from inbox where message_id = any(%s)"


def received_among(connection: Connection[Any], ids: Sequence[UUID]) -> dict[UUID, bytes]:
    """Which of these messages are in the inbox: message id -> hash of the event that it announced."""
    return dict(connection.execute(KNOWN, (list(ids),)).fetchall())


class Reactor:
    """Handles messages with the reactions of one service."""

    linger_seconds = 0.0

    def __init__(self, reactions: Reactions, announcements: Announcements) -> None:
        self.announcements = announcements
        self.reactions = reactions.by_contract
        self.contracts = {name: reaction.contract for name, reaction in self.reactions.items()}

    def known(self, connection: Connection[Any], ids: Sequence[UUID]) -> dict[UUID, bytes]:
        return received_among(connection, ids)

    def handle(self, connection: Connection[Any], messages: Sequence[Received]) -> None:
        """Load aggregates; lock and load those that many messages share; react one by one; flush once.

        Raises:
            Conflict, AlreadyReceived: another writer was first; nothing was written.
            TooManyLocks: several messages need more than MAX_LOCKS locks together; none was taken.
        """
        steps = [(message, self.reactions[message.contract]) for message in messages]
        transaction = Transaction(connection, self.announcements, messages[0].message.caused_by_this())
        transaction.load(id_ for message, reaction in steps for id_ in reaction.loads(message.data))
        shared = {id_ for message, reaction in steps for id_ in reaction.locks(message.data, transaction)}
        if len(messages) > 1 and len(shared) > MAX_LOCKS:
            raise TooManyLocks(f"{len(messages)} messages need {len(shared)} locks, more than {MAX_LOCKS}")
        transaction.lock(shared)
        transaction.load(shared)
        for message, reaction in steps:
            transaction.receive(message.message)
            if reaction.outside:
                reaction.function(message.data, transaction, message.require_answer())
            else:
                reaction.function(message.data, transaction)
        transaction.flush()
