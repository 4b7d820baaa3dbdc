"""The whole saga as a game: three services, messages in flight between them, and every move that the world can make."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, Protocol, TypeVar
from uuid import UUID

from eventsourcing.domain import BaseAggregate

from contracts.payments import RefundCheckDue
from inventory_service.commands import correct_stock, receive_stock
from inventory_service.stock import StockItem, stock_item_id
from order_service.commands import COMPLETION, UnpricedLine, cancel_order, place_order, put_product, retire_product
from ordersaga.envelope.message import Message
from ordersaga.inbox.reactions import Reactions
from ordersaga.store.transaction import Transaction
from payment_service.commands import REFUND_CHECK, request_part, request_refund
from payment_service.gateway import CardProcessorUnavailable
from payment_service.payment import Payment
from tests.shop.support.till import Till

Kind = TypeVar("Kind", bound=BaseAggregate[UUID])
DEADLINE = timedelta(minutes=15)
Pipe = tuple[str, str, str]
"""(group, source, key): within it messages arrive in the order in which they were announced."""
Line = tuple[str, str]
"""(group, key): what has arrived there is handled one by one."""


class Party(Protocol):
    """A service as the game needs it, with a database or without."""

    reactions: Reactions
    parked: frozenset[str]
    """Contracts of the messages that wait, parked, behind the one that is asked about."""

    def decide(self, command: Callable[[Transaction], Any]) -> Any: ...

    def find(self, kind: type[Kind], id_: UUID) -> Kind | None: ...

    def ask(self, message: Message) -> Any: ...

    def react(self, message: Message, *answer: Any, commit: bool = True) -> None: ...

    def pass_deadline(self, name: str, id_: UUID) -> None: ...

    def said_after(self, number: int) -> Sequence[Message]:
        """Announcements in order, but for the first `number`."""


@dataclass
class Waiting:
    """A message that has arrived, and what its outside step said once it was asked."""

    message: Message
    answer: tuple[Any, ...] = ()
    is_parked: bool = False
    """Whether the card processor gave no usable answer, so that it is asked again later."""


@dataclass
class Saga:
    """Each method is one move; together with `settle` they can bring about any order of arrival.

    A consumer runs the outside step of the first of a line only, once all before it is committed. With `asks_early`
    it asks for any that has arrived, so that answers come late; then no copies arrive and no consumer dies, because
    the answer of a charge that is dropped before a cancellation is recorded cannot be had again after it.
    """

    parties: dict[str, Party]
    till: Till
    shop: int = 0
    """Another shop has other products and other orders, so that many sagas can use one set of databases."""
    asks_early: bool = False
    orders: list[UUID] = field(default_factory=list)
    received: dict[str, int] = field(default_factory=dict)
    """SKU -> pieces that have come in."""
    pipes: dict[Pipe, deque[Message]] = field(default_factory=dict)
    lines: dict[Line, deque[Waiting]] = field(default_factory=dict)
    past: list[tuple[str, Message]] = field(default_factory=list)
    routed: dict[str, int] = field(default_factory=dict)

    def sku(self, name: str) -> str:
        return f"{name} of shop {self.shop}"

    def receive_stock(self, name: str, quantity: int) -> None:
        sku = self.sku(name)
        self.parties["inventory_service"].decide(partial(receive_stock, sku=sku, quantity=quantity))
        self.received[sku] = self.received.get(sku, 0) + quantity
        self.route()

    def correct_stock(self, name: str, quantity: int) -> None:
        """Add pieces, or take off so many of those that are available."""
        sku = self.sku(name)
        item = self.parties["inventory_service"].find(StockItem, stock_item_id(sku))
        if item is None or not (quantity := max(quantity, -item.available)):
            return
        correct = partial(correct_stock, sku=sku, quantity=quantity, reason="broken")
        self.parties["inventory_service"].decide(correct)
        self.received[sku] += quantity
        self.route()

    def retire(self, name: str) -> None:
        retire = partial(retire_product, sku=self.sku(name), reason="nobody wants it")
        self.parties["order_service"].decide(retire)
        self.route()

    def price(self, name: str, unit_price: int) -> None:
        sku = self.sku(name)
        put = partial(put_product, sku=sku, name=sku, unit_price=unit_price, currency="EUR")
        self.parties["order_service"].decide(put)
        self.route()

    def place(self, wanted: Sequence[UnpricedLine], card: str) -> UUID:
        orders, number = self.parties["order_service"], len(self.orders) + 1
        for name, _ in wanted:
            self.price(name, 100)
        wanted = [UnpricedLine(self.sku(name), quantity) for name, quantity in wanted]
        order_id = UUID(f"01890000-0000-7000-{0x8000 + self.shop:x}-{number:012}")
        orders.decide(
            partial(place_order, order_id=order_id, customer="alice", unpriced=wanted, card=card, deadline=DEADLINE)
        )
        self.orders.append(order_id)
        self.route()
        return order_id

    def cancel(self, order_id: UUID) -> None:
        self.parties["order_service"].decide(partial(cancel_order, order_id=order_id, reason="changed my mind"))
        self.route()

    def pass_deadline(self, order_id: UUID) -> None:
        self.parties["order_service"].pass_deadline(COMPLETION, order_id)
        self.route()

    def payment(self, order_id: UUID) -> Payment | None:
        return self.parties["payment_service"].find(Payment, order_id)

    def has_news(self, order_id: UUID) -> bool:
        """Whether a refund goes on at the card processor, and payments will look and does not yet."""
        payment = self.payment(order_id)
        if payment is None or self.is_being_checked(order_id):
            return False
        return any(map(self.till.has_news, payment.watched()))

    def is_being_checked(self, order_id: UUID) -> bool:
        key = str(order_id)
        under_way = [*self.pipes.get(("payment_service", "payment_service", key), ())]
        under_way += [waiting.message for waiting in self.lines.get(("payment_service", key), ())]
        return any(message.contract == RefundCheckDue.NAME for message in under_way)

    def owed(self) -> list[UUID]:
        """The orders of which a refund has failed."""
        payments = [self.payment(order_id) for order_id in self.orders]
        return [p.id for p in payments if p and (p.state == "refund_failed" or p.failed_parts())]

    def may_refund(self, order_id: UUID) -> int:
        """Minor units of which a part may be refunded; none with `asks_early`, as for copies and crashes."""
        payment = self.payment(order_id)
        return payment.refundable if payment and not self.asks_early else 0

    def refund_part(self, order_id: UUID, amount: int) -> None:
        self.parties["payment_service"].decide(
            partial(request_part, order_id=order_id, amount=amount, reason="one was broken")
        )
        self.route()

    def check_refund(self, order_id: UUID) -> None:
        self.parties["payment_service"].pass_deadline(REFUND_CHECK, order_id)
        self.route()

    def retry_refund(self, order_id: UUID) -> None:
        self.parties["payment_service"].decide(partial(request_refund, order_id=order_id, reason="card renewed"))
        self.route()

    def route(self) -> None:
        """What was announced is on its way to every group that reacts to it."""
        for source, party in self.parties.items():
            for message in party.said_after(self.routed.get(source, 0)):
                self.routed[source] = self.routed.get(source, 0) + 1
                for group, reader in self.parties.items():
                    if message.contract in reader.reactions.by_contract:
                        self.pipes.setdefault((group, source, message.key), deque()).append(message)

    def arrive(self, pipe: Pipe) -> Line:
        group, _, key = pipe
        message = self.pipes[pipe].popleft()
        if not self.pipes[pipe]:
            del self.pipes[pipe]
        self.lines.setdefault((group, key), deque()).append(Waiting(message))
        self.past.append((group, message))
        return group, key

    def arrive_again(self, group: str, message: Message) -> None:
        """A copy, published twice: it comes behind its first."""
        self.lines.setdefault((group, message.key), deque()).append(Waiting(message))

    def may_ask(self, line: Line) -> list[Waiting]:
        """Those whose outside step can run now."""
        waiting = list(self.lines[line]) if self.asks_early else [self.lines[line][0]]
        return [each for each in waiting if not each.answer and self.needs_answer(line[0], each)]

    def ask(self, line: Line, number: int) -> None:
        """Run one outside step of those that may run; without a usable answer the message is parked."""
        waiting, party = self.may_ask(line)[number], self.parties[line[0]]
        behind = [each.message.contract for each in self.lines[line] if each is not waiting]
        party.parked = frozenset(behind if waiting.is_parked else ())
        try:
            waiting.answer = (party.ask(waiting.message),)
        except CardProcessorUnavailable:
            waiting.is_parked = True

    def needs_answer(self, group: str, waiting: Waiting) -> bool:
        reaction = self.parties[group].reactions.by_contract.get(waiting.message.contract)
        return reaction is not None and reaction.outside is not None

    def react(self, line: Line, commit: bool = True, acknowledge: bool = True) -> None:
        """Handle the first of a line; it stays if it was rolled back, or if the consumer died before its ack."""
        first = self.lines[line][0]
        if not first.answer and self.needs_answer(line[0], first):
            self.ask(line, 0)
            if not first.answer:
                return
        self.parties[line[0]].react(first.message, *first.answer, commit=commit)
        if commit:
            self.lines[line].popleft()
            if not acknowledge:
                self.lines[line].appendleft(Waiting(first.message))
            elif not self.lines[line]:
                del self.lines[line]
        self.route()

    def may_crash(self, group: str) -> bool:
        return not self.asks_early and any(waiting.answer for waiting in self.waiting(group))

    def crash(self, group: str) -> None:
        """The consumer dies: what it was told outside is forgotten, what it had in hand comes again."""
        for waiting in self.waiting(group):
            waiting.answer = ()

    def waiting(self, group: str) -> Iterator[Waiting]:
        return (waiting for (name, _), line in self.lines.items() if name == group for waiting in line)

    def settle(self) -> None:
        """Everything that is still on its way arrives and is handled, and every refund ends."""
        while True:
            while self.pipes or self.lines:
                for pipe in list(self.pipes):
                    self.arrive(pipe)
                for line in list(self.lines):
                    self.react(line)
            for order_id in filter(self.has_news, self.orders):
                self.check_refund(order_id)
            if not self.pipes:
                return
