"""A service's way of handling messages: its reactions, for a whole batch in one transaction."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg import Connection

from ordersaga.inbox.delivery import Received
from ordersaga.inbox.reactions import Reactions
from ordersaga.store.announcements import Announcements
from ordersaga.store.transaction import Transaction

KNOWN = "select message_id, event_hash from inbox where message_id = any(%s)"


def received_among(connection: Connection[Any], ids: Sequence[UUID]) -> dict[UUID, bytes]:
    """Those of these messages that are in the inbox, with the hash of the event that each announced."""
    return dict(connection.execute(KNOWN, (list(ids),)).fetchall())


class Reactor:
    """Handles messages by the reactions of one service."""

    patience = 0.0

    def __init__(self, reactions: Reactions, announcements: Announcements) -> None:
        self.announcements = announcements
        self.reactions = reactions.by_contract
        self.contracts = {name: reaction.contract for name, reaction in self.reactions.items()}

    def known(self, connection: Connection[Any], ids: Sequence[UUID]) -> dict[UUID, bytes]:
        return received_among(connection, ids)

    def handle(self, connection: Connection[Any], messages: Sequence[Received]) -> None:
        """Load, lock what many messages meet on and load that, react one by one, flush once.

        Raises:
            Conflict, AlreadyReceived: someone else was first; nothing was written.
        """
        steps = [(message, self.reactions[message.contract]) for message in messages]
        transaction = Transaction(connection, self.announcements, messages[0].message.caused_by_this())
        transaction.load(id_ for message, reaction in steps for id_ in reaction.loads(message.data))
        met_on = {id_ for message, reaction in steps for id_ in reaction.locks(message.data, transaction)}
        transaction.lock(met_on)
        transaction.load(met_on)
        for message, reaction in steps:
            transaction.receive(message.message)
            if reaction.outside:
                reaction.function(message.data, transaction, message.require_answer())
            else:
                reaction.function(message.data, transaction)
        transaction.flush()
