"""Every interleaving of one order, none left out: all states that the moves can reach are visited once."""

import copy
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from operator import methodcaller
from typing import Any, cast

from inventory_service.reservation import Reservation
from order_service.order import Order
from payment_service.payment import Payment
from tests.shop.support.saga import Party, Saga
from tests.shop.support.saga_ends import check_end, check_stock
from tests.shop.support.till import Till
from tests.support.given import Service

Move = tuple[str, Callable[[Saga], None]]


@dataclass(frozen=True)
class Allowance:
    """What may still happen from outside: each of these multiplies the states."""

    cancellations: int
    deadlines: int
    copies: int
    parts: int = 0
    """Refunds of a part, each of half of what is left."""


@dataclass(frozen=True)
class State:
    """A saga, what is allowed from here on, and the moves that led here."""

    saga: Saga
    allowed: Allowance
    path: tuple[str, ...] = ()

    def after(self, move: Move, allowed: Allowance) -> "State":
        name, make = move
        saga = copy_of(self.saga)
        make(saga)
        return State(saga, allowed, (*self.path, name))


def explore(saga: Saga, allowed: Allowance) -> tuple[int, int]:
    """Visit everything. Returns the numbers of states and of ends.

    Raises:
        AssertionError: something does not hold; the moves that lead there are in a note.
    """
    first = State(saga, allowed)
    states, seen, ends = deque([first]), {fingerprint(first)}, 0
    while states:
        state = states.popleft()
        try:
            ends += check(state)
            for neighbour in neighbours(state):
                if (print_ := fingerprint(neighbour)) not in seen:
                    seen.add(print_)
                    states.append(neighbour)
        except Exception as error:
            error.add_note("\n".join(("after these moves:", *state.path)))
            raise
    return len(seen), ends


def check(state: State) -> int:
    check_stock(state.saga)
    if state.saga.pipes or state.saga.lines or any(map(state.saga.has_news, state.saga.orders)):
        return 0
    check_end(state.saga)
    return 1


def neighbours(state: State) -> Iterator[State]:
    allowed, [order_id] = state.allowed, state.saga.orders
    for move in moves(state.saga):
        yield state.after(move, allowed)
    if allowed.cancellations:
        left = replace(allowed, cancellations=allowed.cancellations - 1)
        yield state.after(("the customer cancels", methodcaller("cancel", order_id)), left)
    if allowed.deadlines:
        left = replace(allowed, deadlines=allowed.deadlines - 1)
        yield state.after(("the deadline passes", methodcaller("pass_deadline", order_id)), left)
    if allowed.parts and (refundable := state.saga.may_refund(order_id)):
        left = replace(allowed, parts=allowed.parts - 1)
        part = methodcaller("refund_part", order_id, (refundable + 1) // 2)
        yield state.after(("an operator refunds a part", part), left)
    if allowed.copies:
        left = replace(allowed, copies=allowed.copies - 1)
        for group, message in state.saga.past:
            again = methodcaller("arrive_again", group, message)
            yield state.after((f"{group} gets {message.contract} again", again), left)


def moves(saga: Saga) -> Iterator[Move]:
    for pipe, messages in saga.pipes.items():
        yield f"{messages[0].contract} arrives at {pipe[0]}", methodcaller("arrive", pipe)
    for line, waiting in saga.lines.items():
        yield f"{line[0]} reacts to {waiting[0].message.contract}", methodcaller("react", line)
        for number, each in enumerate(saga.may_ask(line)):
            yield f"{line[0]} asks for {each.message.contract}", methodcaller("ask", line, number)
    for order_id in filter(saga.has_news, saga.orders):
        yield "the refund is checked", methodcaller("check_refund", order_id)
    for group in saga.parties:
        if saga.may_crash(group):
            yield f"{group} crashes", methodcaller("crash", group)


def fingerprint(state: State) -> tuple[Any, ...]:
    """Equal for states with the same future."""
    saga, [order_id] = state.saga, state.saga.orders
    order = saga.parties["order_service"].find(Order, order_id)
    payment = saga.parties["payment_service"].find(Payment, order_id)
    reservation = saga.parties["inventory_service"].find(Reservation, order_id)
    return (
        state.allowed,
        tuple(aggregate and aggregate.state for aggregate in (order, payment, reservation)),
        payment and tuple((*part.values(),) for part in payment.parts),
        tuple(frozenset(cast(Service, party).received) for party in saga.parties.values()),
        frozenset((pipe, tuple(message.id for message in messages)) for pipe, messages in saga.pipes.items()),
        frozenset(
            (line, tuple((each.message.id, each.answer, each.is_parked) for each in waiting))
            for line, waiting in saga.lines.items()
        ),
        frozenset((group, message.id) for group, message in saga.past) if state.allowed.copies else None,
        saga.till.state(order_id),
    )


def copy_of(saga: Saga) -> Saga:
    till = Till()
    for books in ("_orders", "_refunds"):
        setattr(till, books, copy.deepcopy(getattr(saga.till, books)))
    parties: dict[str, Party] = {name: service_copy(cast(Service, party), till) for name, party in saga.parties.items()}
    return replace(
        saga,
        parties=parties,
        till=till,
        pipes={pipe: deque(messages) for pipe, messages in saga.pipes.items()},
        lines={line: deque(map(replace, waiting)) for line, waiting in saga.lines.items()},
        past=list(saga.past),
        routed=dict(saga.routed),
    )


def service_copy(service: Service, till: Till) -> Service:
    return replace(
        service,
        world=till if service.world else None,
        past={id_: list(rows) for id_, rows in service.past.items()},
        events=list(service.events),
        said=list(service.said),
        received=set(service.received),
        deadlines=list(service.deadlines),
    )
