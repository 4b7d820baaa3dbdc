"""The causes of a message up to the first one, and all its effects, as a tree."""

from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from ordersaga.readside.events import LinkedEvent, linked
from ordersaga.readside.rows import Row

MAX_NODES = 2000
"""Messages shown below one; a saga has a dozen."""


class Node(Row):
    """A message and its effects; `asked` marks the message that was asked about."""

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
    """The first cause, with the chain down to the message and all its effects; None when the message is unknown."""
    nodes: dict[UUID | None, Node] = {}
    for event in linked(connection, message_id, MAX_NODES):
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
