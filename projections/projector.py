"""What the read side does with messages: each goes into the event log, once, and from there into the views."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg import Connection

from contracts import CONTRACTS
from ordersaga.envelope.message import ContractData
from ordersaga.inbox.delivery import Received
from projections import event_log
from projections.views.fold import fold

KNOWN = """
select message_id, event_hash from event_log where message_id = any(%(ids)s)
union all select message_id, event_hash from inbox where message_id = any(%(ids)s)
"""
"""The group's inbox has those alone that a person skipped."""


class Projector:
    """The handler of the group `projections`; its inbox is the event log itself."""

    contracts: Mapping[str, type[ContractData]] = CONTRACTS
    linger_seconds = 0.05
    """Nobody sees it on a screen, and folding costs the batch more than its messages."""

    def known(self, connection: Connection[Any], ids: Sequence[UUID]) -> dict[UUID, bytes]:
        """Those of these messages that are logged or skipped, with the hash of the event that each announced."""
        return dict(connection.execute(KNOWN, {"ids": list(ids)}).fetchall())

    def handle(self, connection: Connection[Any], messages: Sequence[Received]) -> None:
        """Log new messages and project them."""
        event_log.lock(connection)
        positions = event_log.append(connection, [received.message for received in messages])
        if positions:
            fold(connection, min(positions), max(positions))
