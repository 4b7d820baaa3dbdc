"""Steps: what happened to an order, in the order of causes and times."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from contracts.payments import RefundCheckDue
from devstack.incident.foreign import anonymous, known_contract
from devstack.incident.incident import Action, Command, Foreign, Passed, Received, Step
from devstack.incident.receptions import Moment, Receptions
from devstack.incident.records import ORDERS, PAYMENTS, SERVICES, EventRow, Records
from order_service.commands import COMPLETION
from payment_service.commands import REFUND_CHECK

DEADLINE = "deadline"
COMMANDS: dict[str, dict[str, Action]] = {
    ORDERS: {"order.placed": "place", "order.cancelled": "cancel"},
    PAYMENTS: {"payment.refund_requested": "refund again", "payment.part_requested": "refund part"},
}
Found = Iterator[tuple[Moment, Step]]


class Steps:
    """`names` has SKU -> its invented name."""

    def __init__(self, records: Records, receptions: Receptions, names: Mapping[str, str]) -> None:
        self.records = records
        self.receptions = receptions
        self.names = names
        self.began = records.events[ORDERS][0].recorded_at

    def in_order(self) -> list[Step]:
        found = [*self.commands(), *self.deadlines(), *self.receipts(), *self.parked(), *self.foreign()]
        return [step for _, step in sorted(found, key=lambda each: (each[0].at, each[0].depth))]

    def seconds(self, moment: Moment) -> float:
        """Since the order was placed."""
        return round((moment.at - self.began).total_seconds(), 3)

    def commands(self) -> Found:
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

    def deadlines(self) -> Found:
        """Those that passed and did something: each leaves an event or a message of its own."""
        for row in self.records.events[ORDERS]:
            if row.actor == DEADLINE and row.causation_id is None:
                yield (moment := Moment(row.recorded_at, 0)), Passed(self.seconds(moment), ORDERS, COMPLETION)
        times: set[datetime] = set()
        for message in self.records.messages.values():
            if message.contract == RefundCheckDue.NAME and message.time.replace(microsecond=0) not in times:
                times.add(message.time.replace(microsecond=0))
                yield (moment := Moment(message.time, 0)), Passed(self.seconds(moment), PAYMENTS, REFUND_CHECK)

    def receipts(self) -> Found:
        for group in SERVICES:
            skipped = {row.announced_id for row in self.records.parked[group] if row.state == "skipped"}
            for row in self.receptions.received[group]:
                message = self.records.messages[row.message_id]
                moment = self.receptions.moment(group, row.message_id)
                outcome = "skipped" if row.message_id in skipped else "effect"
                processor = "silent" if self.receptions.was_silent(group, row.message_id) else "answers"
                number = self.receptions.numbers[row.message_id]
                yield moment, Received(self.seconds(moment), group, message.contract, number, outcome, processor)  # type: ignore[arg-type]

    def parked(self) -> Found:
        for group in SERVICES:
            for row in self.records.parked[group]:
                if row.state == "skipped" or (message := self.records.messages.get(row.announced_id)) is None:
                    continue
                moment = self.receptions.moment(group, row.announced_id, row.parked_at)
                outcome = "waits" if row.state == "waiting" else f"parked: {row.error}"
                processor = "silent" if "Unavailable" in row.error or row.error == "CircuitOpen" else "answers"
                number = self.receptions.numbers[row.announced_id]
                yield moment, Received(self.seconds(moment), group, message.contract, number, outcome, processor)  # type: ignore[arg-type]

    def foreign(self) -> Found:
        for group in SERVICES:
            for row in self.records.foreign(group):
                moment = Moment(row.parked_at, 0)
                outcome = "skipped" if row.state == "skipped" else "parked"
                body = anonymous(row.body, self.records.order_id, self.names)
                contract = known_contract(row.contract)
                yield moment, Foreign(self.seconds(moment), group, contract, row.error, body, outcome)


def asked_before(records: Records, row: EventRow) -> set[int]:
    """The parts that had been requested before this event."""
    earlier = [one for one in records.events[PAYMENTS] if one.position < row.position]
    return {one.event.part for one in earlier if one.topic == "payment.part_requested"}
