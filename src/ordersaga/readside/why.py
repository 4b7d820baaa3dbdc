"""Why a message was sent: the messages it comes from, up to the first, and all that came of it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from ordersaga.readside.events import LinkedEvent, linked
from ordersaga.readside.rows import Row

AT_MOST = 2000
"""Messages shown below one; a saga has a dozen."""


class Node(Row):
    """A message, and what it caused; `asked` marks the one that was asked about."""

    id: UUID
    cause: UUID | None
    contract: str
    source: str
    key: str
    time: datetime
    actor: str
    reason: str | None
    correlation: UUID
    asked: bool
    effects: list["Node"]


def why(connection: Connection[Any], message_id: UUID) -> Node | None:
    """The first cause, with the way down to the message and everything below it; None when it is unknown."""
    nodes: dict[UUID | None, Node] = {}
    for event in linked(connection, message_id, AT_MOST):
        nodes[event.message_id] = node(event)
        if cause := nodes.get(event.causation_id):
            cause.effects.append(nodes[event.message_id])
    return next(iter(nodes.values()), None)


def node(e: LinkedEvent) -> Node:
    return Node(
        id=e.message_id,
        cause=e.causation_id,
        contract=e.contract,
        source=e.source,
        key=e.key,
        time=e.time,
        actor=e.actor,
        reason=e.body.get("reason"),
        correlation=e.correlation_id,
        asked=e.distance == 0,
        effects=[],
    )
