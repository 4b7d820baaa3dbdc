"""Stock: never negative, never oversold, and every unit is accounted for."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from eventsourcing.persistence import StoredEvent

from devstack.chaos.checker.evidence import Evidence
from devstack.chaos.verdict import Offence, Verdict
from devstack.demo.books import Books
from devstack.demo.verdict import of_stock
from inventory_service.stock import StockItem
from ordersaga.store.topics import mapper

QUESTION = "Is stock never negative, is every unit that came in on hand or shipped, and does nobody hold it twice?"

STOCK_EVENTS = """
select originator_id, originator_version, topic, state from stored_events
where topic like 'stock.%%' order by originator_id, originator_version
"""


def stock(evidence: Evidence) -> Verdict:
    events = evidence.rows("inventory_service", STOCK_EVENTS, all=True)
    return judge(evidence.books, [mapper.to_domain_event(StoredEvent(*row)) for row in events])


def judge(books: Books, events: Sequence[Any]) -> Verdict:
    """`events` are those of all stock items, each item's in order."""
    figures = {
        "received": sum(books.received.values()),
        "on hand": sum(item.on_hand for item in books.stock),
        "reserved": sum(item.reserved for item in books.stock),
    }
    offences = [Offence(f"stock {found.subject}", found.detail) for found in of_stock(books)]
    offences += (*for_nobody(books), *below_zero(events), *held_twice(events))
    return Verdict("stock", QUESTION, figures, offences)


def for_nobody(books: Books) -> Iterator[Offence]:
    """Reservations that hold or have shipped stock, and have no order."""
    orders = {order.id for order in books.orders}
    for id_, reservation in books.reservations.items():
        if id_ not in orders and reservation.state in ("reserved", "shipped"):
            yield Offence(f"reservation {id_}", f"is {reservation.state}, and there is no such order")


def below_zero(events: Iterable[Any]) -> Iterator[Offence]:
    """Each moment at which an item was negative or had more reserved than on hand."""
    item: StockItem | None = None
    for event in events:
        item = event.mutate(None if isinstance(event, StockItem.Opened) else item)
        if item and not 0 <= item.reserved <= item.on_hand:
            detail = f"at version {event.originator_version}: {item.reserved} reserved of {item.on_hand} on hand"
            yield Offence(f"stock {item.sku}", detail)


def held_twice(events: Iterable[Any]) -> Iterator[Offence]:
    """Orders that had the same pieces reserved, released, shipped or returned more than once."""
    moves: Mapping[tuple[UUID, UUID], Counter[str]] = defaultdict(Counter)
    for event in events:
        if hasattr(event, "order_id"):
            moves[event.originator_id, event.order_id][type(event).__name__] += 1
    for (item, order), counted in moves.items():
        for kind, number in counted.items():
            if number > 1:
                yield Offence(f"order {order}", f"{kind} {number} times of stock item {item}")
