"""Commands: each acknowledged one has its events once, and no refused one has any."""

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar
from uuid import UUID

from eventsourcing.persistence import StoredEvent

from devstack.chaos.checker.evidence import Evidence
from devstack.chaos.checker.terminal import pieces
from devstack.chaos.history import Operation
from devstack.chaos.verdict import COUNTED, DUPLICATED, INDETERMINATE, LOST, OK, RECOVERED, UNEXPECTED, Offence, Verdict
from inventory_service.stock import StockItem
from order_service.order import Order
from order_service.product import Product
from ordersaga.store.topics import mapper
from payment_service.payment import Payment

Thing = TypeVar("Thing")
Key = TypeVar("Key", bound=Hashable)
Contents = tuple[tuple[object, ...], tuple[object, ...]]
"""What was asked for and what is recorded."""
QUESTION = "Has every acknowledged command its events, no refused one any, and no idempotency key two effects?"
RECORDS = {
    "place_order": ("order_service", Order.Placed.TOPIC),
    "cancel": ("order_service", Order.Cancelled.TOPIC),
    "receive_stock": ("inventory_service", StockItem.Received.TOPIC),
    "correct_stock": ("inventory_service", StockItem.Corrected.TOPIC),
    "refund_part": ("payment_service", Payment.PartRequested.TOPIC),
}
"""Kind of command -> the database and the event that it records."""
PRICE_LIST = ("price", "retire")
"""Kinds of commands that record nothing when it is so already."""
STATES = {None: "not there", True: "retired", False: "sold"}

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
    keys = {row.key for name in evidence.publishing for row in evidence.rows(name, KEYS, callers=evidence.callers)}
    cancelled = {str(order.id) for order in evidence.books.orders if order.state == "cancelled"}
    retired = {product.sku: product.retired for product in evidence.all_of("order_service", Product, Product.Listed)}
    return judge(evidence.operations, events, keys, cancelled, retired)


def judge(
    operations: Sequence[Operation],
    events: Iterable[DirectEvent],
    keys: Collection[str],
    cancelled: Collection[str] = (),
    retired: Mapping[str, bool] = MappingProxyType({}),
) -> Verdict:
    """`keys` are those under which an answer is stored, `cancelled` the ids of cancelled orders, `retired` says of each
    product of the price list whether it is no longer sold."""
    counts, offences, events = dict.fromkeys(COUNTED, 0), [], list(events)
    found = group_by(events, lambda event: (event.topic, event.correlation_id))
    of_record = [operation for operation in operations if operation.kind in RECORDS]
    for (kind, subject), same in group_by(of_record, lambda each: (each.kind, each.subject)).items():
        word, detail = one(same, found.pop((RECORDS[kind][1], same[0].correlation_id), []), keys, cancelled)
        if word:
            counts[word] += 1
        if detail:
            offences.append(Offence(f"{kind} {subject}", detail))
    for event in (event for group in found.values() for event in group):
        counts[UNEXPECTED] += 1
        offences.append(Offence(f"{event.topic} of {event.aggregate_id}", "no command has asked for it"))
    for offence in other_prices(operations, events):
        counts[UNEXPECTED] += 1
        offences.append(offence)
    for word, offence in of_price_list(operations, retired):
        counts[word] += 1
        offences += [offence] if word == LOST else []
    return Verdict("commands", QUESTION, counts, offences)


def of_price_list(operations: Sequence[Operation], retired: Mapping[str, bool]) -> Iterator[tuple[str, Offence]]:
    """The last command about each product decides whether it is sold.

    These commands have no idempotency key: an attempt without an answer may take effect after a later command, so that
    a product with such an attempt is not judged.
    """
    for sku, same in group_by((each for each in operations if each.kind in PRICE_LIST), product_of).items():
        done = [operation for operation in same if operation.outcome == "ok"]
        if not done or any(operation.attempts > 1 or operation.outcome == "indeterminate" for operation in same):
            continue
        wanted, is_so = done[-1].request["facts"]["retired"], retired.get(sku)
        detail = f"{done[-1].kind} was acknowledged last; on the price list: {STATES[is_so]}"
        yield OK if is_so == wanted else LOST, Offence(f"product {sku}", detail)


def other_prices(operations: Sequence[Operation], events: Iterable[DirectEvent]) -> Iterator[Offence]:
    """Orders with a price that nobody has asked for, or a total that is not that of their lines."""
    of_prices = (each for each in operations if each.kind == "price" and each.outcome != "fail")
    listed = {
        sku: {(each.request["body"]["unit_price"], each.request["body"]["currency"]) for each in same}
        for sku, same in group_by(of_prices, product_of).items()
    }
    for event in (event for event in events if event.topic == Order.Placed.TOPIC):
        placed, subject = event.content, f"order {event.aggregate_id}"
        for line in placed.lines:
            price = line["unit_price"], placed.currency
            if price not in listed.get(line["sku"], {price}):
                yield Offence(subject, f"has {line['sku']} at {price}, which nobody has listed")
        if placed.total != (total := sum(line["quantity"] * line["unit_price"] for line in placed.lines)):
            yield Offence(subject, f"has a total of {placed.total}, and lines of {total}")


def product_of(operation: Operation) -> str:
    return str(operation.request["facts"]["sku"])


def one(
    same: Sequence[Operation], events: Sequence[DirectEvent], keys: Collection[str], cancelled: Collection[str]
) -> tuple[str, str]:
    """The word for the commands of one key, and what is wrong with them; no word when all were refused."""
    done = [operation for operation in same if operation.outcome == "ok"]
    asked = done[0] if done else same[0]
    of = ", ".join(str(event.aggregate_id) for event in events)
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
    wanted, got = CONTENTS[asked.kind](asked, event)
    wanted, got = (asked.request["caller"], *wanted), (event.actor, *got)
    return "" if wanted == got else f"{wanted} was asked for, {got} is recorded"


def order(asked: Operation, event: DirectEvent) -> Contents:
    body, placed, content = asked.request["body"], str(event.aggregate_id), event.content
    wanted = asked.answer.get("order_id", placed), asked.request["caller"], body["card"], pieces(body["lines"])
    return wanted, (placed, content.customer, content.card, pieces(content.lines))


CONTENTS: Mapping[str, Callable[[Operation, DirectEvent], Contents]] = {
    "place_order": order,
    "cancel": lambda asked, event: (
        (asked.request["facts"]["order_id"], asked.request["body"]["reason"]),
        (str(event.aggregate_id), event.content.reason),
    ),
    "receive_stock": lambda asked, event: (
        (asked.request["facts"]["sku"], asked.request["facts"]["quantity"]),
        (event.content.sku, event.content.quantity),
    ),
    "correct_stock": lambda asked, event: (
        (asked.request["facts"]["sku"], asked.request["facts"]["quantity"], asked.request["body"]["reason"]),
        (event.content.sku, event.content.quantity, event.content.reason),
    ),
    "refund_part": lambda asked, event: (
        (asked.request["facts"]["order_id"], asked.request["facts"]["amount"], asked.request["body"]["reason"]),
        (str(event.aggregate_id), event.content.amount, event.content.reason),
    ),
}
"""Kind of command -> the same thing as the command and as the event has it."""


def group_by(things: Iterable[Thing], key: Callable[[Thing], Key]) -> dict[Key, list[Thing]]:
    groups: dict[Key, list[Thing]] = defaultdict(list)
    for thing in things:
        groups[key(thing)].append(thing)
    return groups
