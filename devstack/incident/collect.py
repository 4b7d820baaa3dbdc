"""Collecting: the incident in the records of one order, ordered by cause and time, made anonymous."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.payments import RefundCheckDue
from devstack.incident import cards, rules
from devstack.incident.foreign import anonymous
from devstack.incident.incident import Action, Command, End, Foreign, Incident, Line, Passed, Received, Step
from devstack.incident.records import INVENTORY, ORDERS, PAYMENTS, SERVICES, EventRow, ParkedRow, ReceivedRow, Records
from inventory_service.reservation import Reservation
from inventory_service.stock import StockItem
from order_service.commands import COMPLETION
from order_service.order import Order
from ordersaga.broker.topology import receives
from payment_service.commands import REFUND_CHECK
from payment_service.payment import Payment
from shop import services

DEADLINE = "deadline"
REACTING = {service.name: service.contracts for service in services if service.name in SERVICES}


class NoSuchOrder(LookupError):
    """No order with this id was ever placed."""


class LostOrder(LookupError):
    """The event store of orders lacks it, and that of another service has events of it."""


@dataclass(frozen=True)
class Moment:
    """When a step was made, and how many causes precede it."""

    at: datetime
    depth: int


def collect(records: Records) -> Incident:
    """Raises NoSuchOrder, LostOrder."""
    orders = records.events[ORDERS]
    if not orders or orders[0].topic != "order.placed":
        others = [name for name in SERVICES if name != ORDERS and records.events[name]]
        raise LostOrder(" and ".join(others)) if others else NoSuchOrder(str(records.order_id))
    return Collector(records).incident()


class Collector:
    """Works on the records of one order."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self.placed = records.events[ORDERS][0].event
        self.began = records.events[ORDERS][0].recorded_at
        skus = dict.fromkeys(line["sku"] for line in self.placed.lines)
        self.names = {sku: f"sku-{number}" for number, sku in enumerate(skus, 1)}
        self.order: Order = folded(records.events[ORDERS])
        self.payment: Payment | None = folded(records.events[PAYMENTS])
        self.reservation: Reservation | None = folded(records.events[INVENTORY])
        self.of_order = {sku: list(self.moves(sku)) for sku in self.names}
        self.received = {group: [*records.received[group], *purged(records, group)] for group in SERVICES}
        self.numbers = dict(numbered(records))
        self.made: dict[tuple[str, UUID], Moment] = {}
        self.commanded: dict[UUID | None, Moment] = {}

    def incident(self) -> Incident:
        payments = [(row.topic, row.event) for row in self.records.events[PAYMENTS]]
        return Incident(
            lines=[Line(self.names[each["sku"]], each["quantity"], each["unit_price"]) for each in self.placed.lines],
            currency=self.placed.currency,
            stock={self.names[sku]: self.available(sku) for sku in self.names},
            card=cards.like(self.placed.card, payments),
            contact=self.placed.contact is not None,
            steps=self.steps(),
            end=self.end(),
            wrong=list(self.wrong()),
            notes=list(self.notes()),
        )

    def moves(self, sku: str) -> Iterator[tuple[str, Any]]:
        """What the stock of the SKU has done for the order."""
        for row in self.records.stock[sku]:
            if row.topic in rules.SIGNS and (event := row.event).order_id == self.records.order_id:
                yield row.topic, event

    def available(self, sku: str) -> int:
        """Pieces when the stock of the order was decided on; now, when it was not."""
        first = next((row.position for row in self.records.events[INVENTORY]), None)
        rows = [row for row in self.records.stock[sku] if first is None or row.position < first]
        before = [row for row in rows if getattr(row.event, "order_id", None) != self.records.order_id]
        item: StockItem | None = folded(before)
        return item.available if item else 0

    def steps(self) -> list[Step]:
        found = [*self.commands(), *self.deadlines(), *self.receipts(), *self.parked(), *self.foreign()]
        return [step for _, step in sorted(found, key=lambda each: (each[0].at, each[0].depth))]

    def seconds(self, moment: Moment) -> float:
        return round((moment.at - self.began).total_seconds(), 3)

    def commands(self) -> Iterator[tuple[Moment, Step]]:
        """What people asked for: events without a message that caused them; those of one transaction are one."""
        seen: set[str] = set()
        for name, topics in COMMANDS.items():
            for row in self.records.events[name]:
                action = topics.get(row.topic)
                if action is None or row.causation_id or row.actor == DEADLINE or row.xid in seen:
                    continue
                seen.add(row.xid)
                moment = Moment(row.recorded_at, 0)
                if action == "refund part" and row.event.part in asked_before(self.records, row):
                    action = "refund again"
                amount = row.event.amount if action == "refund part" else 0
                yield moment, Command(self.seconds(moment), action, amount)

    def deadlines(self) -> Iterator[tuple[Moment, Step]]:
        """Those that passed and did something: each leaves an event or a message of its own."""
        for row in self.records.events[ORDERS]:
            if row.actor == DEADLINE and row.causation_id is None:
                yield (moment := Moment(row.recorded_at, 0)), Passed(self.seconds(moment), ORDERS, COMPLETION)
        times: set[datetime] = set()
        for message in self.records.messages.values():
            if message.contract == RefundCheckDue.NAME and message.time.replace(microsecond=0) not in times:
                times.add(message.time.replace(microsecond=0))
                yield (moment := Moment(message.time, 0)), Passed(self.seconds(moment), PAYMENTS, REFUND_CHECK)

    def receipts(self) -> Iterator[tuple[Moment, Step]]:
        for group in SERVICES:
            skipped = {row.announced_id for row in self.records.parked[group] if row.state == "skipped"}
            for row in self.received[group]:
                message = self.records.messages[row.message_id]
                moment = self.moment(group, row.message_id)
                outcome = "skipped" if row.message_id in skipped else "effect"
                processor = "silent" if self.was_silent(group, row.message_id) else "answers"
                number = self.numbers[row.message_id]
                yield moment, Received(self.seconds(moment), group, message.contract, number, outcome, processor)  # type: ignore[arg-type]

    def parked(self) -> Iterator[tuple[Moment, Step]]:
        for group in SERVICES:
            for row in self.records.parked[group]:
                if row.state == "skipped" or (message := self.records.messages.get(row.announced_id)) is None:
                    continue
                moment = self.moment(group, row.announced_id, row.parked_at)
                outcome = "waits" if row.state == "waiting" else f"parked: {row.error}"
                processor = "silent" if "Unavailable" in row.error or row.error == "CircuitOpen" else "answers"
                number = self.numbers[row.announced_id]
                yield moment, Received(self.seconds(moment), group, message.contract, number, outcome, processor)  # type: ignore[arg-type]

    def foreign(self) -> Iterator[tuple[Moment, Step]]:
        for group in SERVICES:
            for row in self.foreign_of(group):
                moment = Moment(row.parked_at, 0)
                outcome = "skipped" if row.state == "skipped" else "parked"
                body = anonymous(row.body, self.records.order_id, self.names)
                yield moment, Foreign(self.seconds(moment), group, known(row.contract), row.error, body, outcome)

    def foreign_of(self, group: str) -> list[ParkedRow]:
        return [row for row in self.records.parked.get(group, ()) if row.announced_id not in self.records.messages]

    def moment(self, group: str, message_id: UUID, at: datetime | None = None) -> Moment:
        """When the group received the message: not before whatever announced it, whatever their clocks say."""
        if (group, message_id) not in self.made:
            rows = {row.message_id: row.received_at for row in self.received[group]}
            at = at or rows.get(message_id) or self.records.messages[message_id].time
            cause = self.records.messages[message_id].causation_id
            source = self.records.messages[message_id].source
            self.made[group, message_id] = Moment(at, 1)
            if cause in self.records.messages:
                before = self.moment(source, cause)
                self.made[group, message_id] = Moment(max(at, before.at), before.depth + 1)
        return self.made[group, message_id]

    def was_silent(self, group: str, message_id: UUID) -> bool:
        """Whether the charge was withdrawn: nobody had answered when the cancellation came."""
        events = [row.topic for row in self.records.events[group] if row.causation_id == message_id]
        is_charge = self.records.messages[message_id].contract == "inventory.stock_reserved.v1"
        return group == PAYMENTS and is_charge and events[-1:] == ["payment.voided"]

    def end(self) -> End:
        events = {
            name: [row.topic for row in rows]
            for name, rows in zip(("order", "reservation", "payment"), map(self.records.events.get, HELD), strict=True)
            if rows
        }
        events |= {self.names[sku]: [topic for topic, _ in moves] for sku, moves in self.of_order.items() if moves}
        return End(
            self.order.state,
            self.payment.state if self.payment else "",
            self.reservation.state if self.reservation else "",
            events,
            [parked_text(group, row) for group in SERVICES for row in self.still_parked(group)],
        )

    def still_parked(self, group: str) -> list[ParkedRow]:
        return [row for row in self.records.parked.get(group, ()) if row.state != "skipped"]

    def wrong(self) -> Iterator[str]:
        for group in SERVICES:
            foreign = {row.message_id for row in self.foreign_of(group)}
            for row in self.still_parked(group):
                if row.message_id not in foreign and row.state != "waiting":
                    yield f"everything arrives: {parked_text(group, row)} is parked"
        if self.is_under_way():
            return
        stock = {self.names[sku]: moves for sku, moves in self.of_order.items()}
        yield from rules.wrong(self.order, self.payment, renamed(self.reservation, self.names), stock, self.charges())

    def charges(self) -> rules.Charges | None:
        return self.records.charges

    def is_under_way(self) -> bool:
        """Whether a message or a decision is still to come."""
        return self.order.state == "placed" or any(True for _ in self.undelivered())

    def undelivered(self) -> Iterator[str]:
        for id_, message in self.records.messages.items():
            for group, contracts in REACTING.items():
                known_here = {row.message_id for row in self.received[group]}
                known_here |= {row.announced_id for row in self.records.parked[group]}
                if receives(contracts, message.contract) and id_ not in known_here:
                    yield f"{group} has not received {message.contract}"

    def notes(self) -> Iterator[str]:
        if self.order.state == "placed":
            yield "The order was still under way; the replay lets it go on to its end."
        yield from (f"{said}." for said in self.undelivered())
        for row in self.still_parked("projections"):
            yield f"The read side has parked {known(row.contract)}: {row.error}; the replay has no read side."
        if self.records.edited:
            yield "People have edited messages of the order; the replay delivers them as they were announced."
        if self.records.charges is None:
            yield "The card processor was not asked, so the rules about its charges were left out."
        if cards.like(self.placed.card, ()) != self.placed.card:
            yield "The card is a test card that answers as the card of the order did."


HELD = (ORDERS, INVENTORY, PAYMENTS)
COMMANDS: dict[str, dict[str, Action]] = {
    ORDERS: {"order.placed": "place", "order.cancelled": "cancel"},
    PAYMENTS: {"payment.refund_requested": "refund again", "payment.part_requested": "refund part"},
}


def folded(rows: list[EventRow]) -> Any:
    """The aggregate after these events; None after none."""
    aggregate = None
    for row in rows:
        aggregate = row.event.mutate(aggregate)
    return aggregate


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


def asked_before(records: Records, row: EventRow) -> set[int]:
    """The parts that had been requested before this event."""
    earlier = [one for one in records.events[PAYMENTS] if one.position < row.position]
    return {one.event.part for one in earlier if one.topic == "payment.part_requested"}


def known(contract: str | None) -> str:
    """The contract, unless it is none of the shop's: its name may say anything."""
    every = {name for service in services for name in service.reactions.by_contract}
    return contract if contract in every else "unknown.contract.v1"


def parked_text(group: str, row: ParkedRow) -> str:
    return f"{group} {known(row.contract)} {'waits' if row.state == 'waiting' else row.error}"


def renamed(reservation: Reservation | None, names: dict[str, str]) -> Reservation | None:
    if reservation:
        reservation.lines = [{**line, "sku": names.get(line["sku"], line["sku"])} for line in reservation.lines]
    return reservation
