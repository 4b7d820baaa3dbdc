"""Receptions: which group has received which message of an order, and when."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from devstack.incident.records import PAYMENTS, SERVICES, ReceivedRow, Records
from ordersaga.broker.topology import receives
from shop import services

REACTING = {service.name: service.contracts for service in services if service.name in SERVICES}


@dataclass(frozen=True)
class Moment:
    """When a step was made, and how many causes precede it."""

    at: datetime
    depth: int


class Receptions:
    """Of the records of one order; `numbers` has message id -> 1 for the first message of its contract, and so on."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self.received = {group: [*records.received[group], *purged(records, group)] for group in SERVICES}
        self.numbers = dict(numbered(records))
        self._moments: dict[tuple[str, UUID], Moment] = {}

    def moment(self, group: str, message_id: UUID, at: datetime | None = None) -> Moment:
        """When the group received the message: not before whatever announced it, whatever their clocks say."""
        if (group, message_id) not in self._moments:
            rows = {row.message_id: row.received_at for row in self.received[group]}
            message = self.records.messages[message_id]
            at = at or rows.get(message_id) or message.time
            self._moments[group, message_id] = Moment(at, 1)
            if message.causation_id in self.records.messages:
                before = self.moment(message.source, message.causation_id)
                self._moments[group, message_id] = Moment(max(at, before.at), before.depth + 1)
        return self._moments[group, message_id]

    def was_silent(self, group: str, message_id: UUID) -> bool:
        """Whether the charge was withdrawn: nobody had answered when the cancellation came."""
        events = [row.topic for row in self.records.events[group] if row.causation_id == message_id]
        is_charge = self.records.messages[message_id].contract == "inventory.stock_reserved.v1"
        return group == PAYMENTS and is_charge and events[-1:] == ["payment.voided"]

    def undelivered(self) -> Iterator[str]:
        """A sentence without its full stop for each message that a group has not received yet."""
        for id_, message in self.records.messages.items():
            for group, contracts in REACTING.items():
                known_here = {row.message_id for row in self.received[group]}
                known_here |= {row.announced_id for row in self.records.parked[group]}
                if receives(contracts, message.contract) and id_ not in known_here:
                    yield f"{group} has not received {message.contract}"


def purged(records: Records, group: str) -> Iterator[ReceivedRow]:
    """Messages that have left the inbox with time, but have caused events: received when these were recorded."""
    left = {row.message_id for row in records.received[group]}
    for row in records.events[group]:
        if row.causation_id in records.messages and row.causation_id not in left:
            left.add(row.causation_id)
            yield ReceivedRow(row.causation_id, row.recorded_at)


def numbered(records: Records) -> Iterator[tuple[UUID, int]]:
    """Each message and which it is of its contract."""
    counted: Counter[str] = Counter()
    for message in sorted(records.messages.values(), key=lambda each: (each.sequence, each.time)):
        counted[message.contract] += 1
        yield message.message_id, counted[message.contract]
