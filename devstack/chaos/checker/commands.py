"""Commands: each acknowledged one has its events once, and no refused one has any."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from eventsourcing.persistence import StoredEvent

from devstack.chaos.checker.evidence import Evidence
from devstack.chaos.history import Operation
from devstack.chaos.verdict import COUNTED, DUPLICATED, INDETERMINATE, LOST, OK, RECOVERED, UNEXPECTED, Offence, Verdict
from inventory_service.stock import StockItem
from order_service.order import Order
from ordersaga.store.topics import mapper
from payment_service.payment import Payment

QUESTION = "Has every acknowledged command its events, no refused one any, and no idempotency key two effects?"
RECORDS = {
    "place_order": ("order_service", Order.Placed.TOPIC),
    "cancel": ("order_service", Order.Cancelled.TOPIC),
    "receive_stock": ("inventory_service", StockItem.Received.TOPIC),
    "correct_stock": ("inventory_service", StockItem.Corrected.TOPIC),
    "refund_part": ("payment_service", Payment.PartRequested.TOPIC),
}
"""Kind of command -> the database and the event that it records. Other kinds may record nothing when repeated."""

DIRECT_EVENTS = """
select originator_id, originator_version, topic, state, correlation_id, actor from stored_events
where topic = any(%(topics)s) and actor = any(%(callers)s) and causation_id is null order by position
"""
KEYS = "select split_part(key, ' ', 2) as key from idempotency_keys where caller = any(%(callers)s)"


@dataclass(frozen=True)
class DirectEvent:
    """An event that a caller's request recorded, not a message."""

    aggregate_id: UUID
    topic: str
    correlation_id: UUID
    actor: str
    content: Any

    @classmethod
    def of(cls, row: Any) -> "DirectEvent":
        event = mapper.to_domain_event(StoredEvent(row.originator_id, row.originator_version, row.topic, row.state))
        return cls(row.originator_id, row.topic, row.correlation_id, row.actor, event)


def commands(evidence: Evidence) -> Verdict:
    events: list[DirectEvent] = []
    for database in {database for database, _ in RECORDS.values()}:
        topics = [topic for place, topic in RECORDS.values() if place == database]
        rows = evidence.rows(database, DIRECT_EVENTS, topics=topics, callers=evidence.callers)
        events += map(DirectEvent.of, rows)
    cancelled = {str(order.id) for order in evidence.books.orders if order.state == "cancelled"}
    keys = {row.key for name in evidence.publishing for row in evidence.rows(name, KEYS, callers=evidence.callers)}
    return judge(evidence.operations, events, keys, cancelled)


def judge(
    operations: Sequence[Operation], events: Iterable[DirectEvent], keys: Iterable[str], cancelled: Iterable[str]
) -> Verdict:
    """`keys` are those under which an answer is stored, `cancelled` the ids of cancelled orders."""
    counts = dict.fromkeys(COUNTED, 0)
    offences: list[Offence] = []
    found: Mapping[tuple[str, UUID], list[DirectEvent]] = group_by(events, lambda e: (e.topic, e.correlation_id))
    stored, ended = set(keys), set(cancelled)
    known = set()
    for (kind, subject), same in group_by(operations, lambda o: (o.kind, o.subject)).items():
        if kind not in RECORDS:
            counts[same[-1].outcome if same[-1].outcome in counts else OK] += same[-1].outcome != "fail"
            continue
        known.add((RECORDS[kind][1], same[0].correlation_id))
        word, detail = one(same, found.get((RECORDS[kind][1], same[0].correlation_id), []), stored, ended)
        if word:
            counts[word] += 1
        if detail:
            offences.append(Offence(f"{kind} {subject}", detail))
    for key, group in found.items():
        if key not in known:
            counts[UNEXPECTED] += len(group)
            offences += [
                Offence(f"{event.topic} of {event.aggregate_id}", "no command has asked for it") for event in group
            ]
    return Verdict("commands", QUESTION, counts, offences)


def one(
    same: Sequence[Operation], events: Sequence[DirectEvent], keys: set[str], cancelled: set[str]
) -> tuple[str, str]:
    """The word for the commands of one key, and what is wrong with them; no word when all were refused."""
    done = [operation for operation in same if operation.outcome == "ok"]
    asked = done[0] if done else same[0]
    of = f"{', '.join(str(event.aggregate_id) for event in events)}"
    if len(events) > 1:
        return DUPLICATED, f"took effect {len(events)} times: {of}"
    if len({operation.answer.get("order_id") for operation in done}) > 1:
        return DUPLICATED, f"answers name {' and '.join(str(operation.answer.get('order_id')) for operation in done)}"
    if not done and all(operation.outcome == "fail" for operation in same):
        if events or asked.subject in keys:
            return UNEXPECTED, f"refused ({asked.error}), and took effect: {of or 'its answer is stored'}"
        return "", ""
    for operation in done or [asked]:
        if events and (wrong := contradiction(operation, events[0])):
            return UNEXPECTED, wrong
    if done:
        if not events and not (asked.kind == "cancel" and asked.request["facts"]["order_id"] in cancelled):
            return LOST, "acknowledged, and its event is not there"
        if asked.subject not in keys:
            return DUPLICATED, "acknowledged, and its answer is not stored: repeated, it would take effect again"
        return RECOVERED if any(operation.resolved for operation in done) else OK, ""
    return (RECOVERED, "") if events else (INDETERMINATE, "")


def contradiction(asked: Operation, event: DirectEvent) -> str:
    """What the event says otherwise than the command; empty when it says the same."""
    content, facts = event.content, asked.request["facts"]
    if asked.kind == "place_order":
        wanted = {line["sku"]: line["quantity"] for line in asked.request["body"]["lines"]}
        got = {line["sku"]: line["quantity"] for line in content.lines}
        named = asked.answer.get("order_id", str(event.aggregate_id))
        return (
            ""
            if (wanted, named) == (got, str(event.aggregate_id))
            else f"{wanted} asked, {event.aggregate_id} has {got}"
        )
    if asked.kind == "cancel":
        return (
            "" if facts["order_id"] == str(event.aggregate_id) else f"order {event.aggregate_id} was cancelled instead"
        )
    name = "amount" if asked.kind == "refund_part" else "quantity"
    found = getattr(content, name)
    return "" if found == facts[name] else f"{facts[name]} asked, {found} recorded"


def group_by(things: Iterable[Any], key: Any) -> dict[Any, list[Any]]:
    groups: dict[Any, list[Any]] = defaultdict(list)
    for thing in things:
        groups[key(thing)].append(thing)
    return groups
