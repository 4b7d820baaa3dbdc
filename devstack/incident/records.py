"""Records: what the databases and the card processor know of one order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from eventsourcing.persistence import StoredEvent
from psycopg import Connection
from psycopg.rows import class_row

from inventory_service.stock import stock_item_id
from ordersaga.parked.table import ANNOUNCED_ID
from ordersaga.store.topics import mapper

ORDERS, PAYMENTS, INVENTORY = "order_service", "payment_service", "inventory_service"
SERVICES = (ORDERS, PAYMENTS, INVENTORY)
READ_SIDE = "projections"


class EventRow(NamedTuple):
    """A stored event."""

    originator_id: UUID
    originator_version: int
    topic: str
    state: bytes
    position: int
    recorded_at: datetime
    causation_id: UUID | None
    actor: str
    xid: str

    @property
    def event(self) -> Any:
        return mapper.to_domain_event(StoredEvent(*self[:4]))


class MessageRow(NamedTuple):
    """A message that a service has announced."""

    message_id: UUID
    contract: str
    source: str
    sequence: int
    time: datetime
    causation_id: UUID | None
    actor: str


class ReceivedRow(NamedTuple):
    """A row of an inbox."""

    message_id: UUID
    received_at: datetime


class ParkedRow(NamedTuple):
    """A parked message, or, with the state `skipped`, what a person has skipped."""

    message_id: UUID
    announced_id: UUID
    contract: str | None
    state: str
    error: str
    place: str
    body: bytes
    parked_at: datetime


COLUMNS = """originator_id, originator_version, topic, state, position, recorded_at, causation_id, actor,
    xid::text as xid"""
EVENTS = f"select {COLUMNS} from stored_events where originator_id = any(%(ids)s) order by position"  # noqa: S608
MESSAGE = "message_id, contract, source, sequence, time, causation_id, actor"
OUTBOX = f"select {MESSAGE} from outbox where key = %(key)s order by position"  # noqa: S608 - a constant
EVENT_LOG = f"select {MESSAGE} from event_log where key = %(key)s order by position"  # noqa: S608 - a constant
INBOX = "select message_id, received_at from inbox where message_id = any(%(ids)s) order by received_at"
PARKED = f"""
select message_id, {ANNOUNCED_ID} as announced_id, contract, state, error, place, body, parked_at from parked_messages
where key = %(key)s order by position
"""  # noqa: S608 - a constant
SKIPPED = f"""
select message_id, {ANNOUNCED_ID} as announced_id, contract, 'skipped' as state, error, place, body,
    acted_at as parked_at
from parked_actions where key = %(key)s and action = 'skip' and refused_by = 'reaction' order by position
"""  # noqa: S608 - a constant
EDITED = "select count(*) from parked_actions where key = %(key)s and action = 'edit'"


@dataclass
class Records:
    """By service or group; `charges` is None when the card processor did not say."""

    order_id: UUID
    events: dict[str, list[EventRow]] = field(default_factory=dict)
    """Of the aggregates with the id of the order."""
    stock: dict[str, list[EventRow]] = field(default_factory=dict)
    """SKU -> all events of its stock."""
    messages: dict[UUID, MessageRow] = field(default_factory=dict)
    received: dict[str, list[ReceivedRow]] = field(default_factory=dict)
    parked: dict[str, list[ParkedRow]] = field(default_factory=dict)
    edited: int = 0
    """How often people edited a message of the order."""
    charges: Sequence[Mapping[str, Any]] | None = None

    def foreign(self, group: str) -> list[ParkedRow]:
        """What the group has parked or skipped that nobody has announced."""
        return [row for row in self.parked.get(group, ()) if row.announced_id not in self.messages]

    def still_parked(self, group: str) -> list[ParkedRow]:
        return [row for row in self.parked.get(group, ()) if row.state != "skipped"]


def read(connections: Mapping[str, Connection[Any]], order_id: UUID) -> Records:
    """Everything but the charges. `connections` are to the three services and, if there is one, the read side."""
    found = Records(order_id)
    key = {"key": str(order_id)}
    for name in SERVICES:
        found.events[name] = rows(connections[name], EventRow, EVENTS, {"ids": [order_id]})
    if READ_SIDE in connections:
        found.messages = messages(connections[READ_SIDE], EVENT_LOG, key)
    for name in SERVICES:
        found.messages |= messages(connections[name], OUTBOX, key)
    for name in connections:
        found.parked[name] = rows(connections[name], ParkedRow, PARKED, key)
        found.parked[name] += rows(connections[name], ParkedRow, SKIPPED, key)
        row = connections[name].execute(EDITED, key).fetchone()
        found.edited += row[0] if row else 0
    for name in SERVICES:
        found.received[name] = rows(connections[name], ReceivedRow, INBOX, {"ids": list(found.messages)})
    for sku in skus_of(found):
        found.stock[sku] = rows(connections[INVENTORY], EventRow, EVENTS, {"ids": [stock_item_id(sku)]})
    return found


def rows(connection: Connection[Any], kind: type[Any], query: str, values: Mapping[str, Any]) -> list[Any]:
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(query.encode(), values).fetchall()


def messages(connection: Connection[Any], query: str, values: Mapping[str, Any]) -> dict[UUID, MessageRow]:
    return {row.message_id: row for row in rows(connection, MessageRow, query, values)}


def skus_of(records: Records) -> list[str]:
    """The SKUs of the order, in the order of its lines."""
    placed = [row.event for row in records.events[ORDERS] if row.topic == "order.placed"]
    return list(dict.fromkeys(line["sku"] for event in placed for line in event.lines))
