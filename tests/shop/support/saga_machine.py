"""Hypothesis plays the saga: it finds the shortest sequence of moves after which an order ends wrong."""

from collections.abc import Sequence
from typing import TypeVar
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from order_service.commands import UnpricedLine
from payment_service.cards import REFUNDS
from tests.shop.support.saga import Saga
from tests.shop.support.saga_ends import check_end, check_stock

Choice = TypeVar("Choice")
SKUS = ("cup", "pot")
CARDS = ("pm_card_visa", "pm_card_visa", "pm_card_visa", "pm_card_chargeDeclined", "no_such_card", *REFUNDS)
FAILING_CARDS = ("pm_sim_timeout_after_charge", "pm_sim_charged_500", "pm_sim_stored_500_2")
"""Not with `asks_early`: an answer that was lost there cannot be had again."""
MAX_ORDERS = 4
FATES = ((), ("cancelled",), ("timed out",), ("cancelled", "timed out"))
"""What an order may meet, once each, at any moment."""
ENDS_OF_A_REACTION: tuple[dict[str, bool], ...] = ({}, {}, {}, {"commit": False}, {"acknowledge": False})
"""It is committed and acknowledged, or rolled back, or its consumer dies between commit and acknowledgement."""

numbers = st.integers(0, 9)
lines = st.lists(st.builds(UnpricedLine, st.sampled_from(SKUS), st.integers(1, 3)), min_size=1, max_size=3)


def pick(choices: Sequence[Choice], number: int) -> Choice:
    return choices[number % len(choices)]


class SagaMachine(RuleBasedStateMachine):
    """A number picks among what is possible at that moment."""

    saga: Saga
    fates: list[tuple[str, UUID]]

    def begin(self) -> Saga:
        raise NotImplementedError

    @initialize(cups=st.integers(0, 6), pots=st.integers(0, 6), asks_early=st.booleans())
    def open_shop(self, cups: int, pots: int, asks_early: bool) -> None:
        self.saga = self.begin()
        self.saga.asks_early = asks_early
        self.fates = []
        for sku, quantity in zip(SKUS, (cups, pots), strict=True):
            if quantity:
                self.saga.receive_stock(sku, quantity)

    @precondition(lambda self: len(self.saga.orders) < MAX_ORDERS)
    @rule(wanted=lines, card=st.sampled_from(CARDS + FAILING_CARDS), fates=st.sampled_from(FATES))
    def place(self, wanted: list[UnpricedLine], card: str, fates: Sequence[str]) -> None:
        if self.saga.asks_early and card in FAILING_CARDS:
            card = "pm_card_visa"
        order_id = self.saga.place(wanted, card)
        self.fates += [(fate, order_id) for fate in fates]

    @rule(sku=st.sampled_from(SKUS), quantity=st.integers(1, 3))
    def receive_stock(self, sku: str, quantity: int) -> None:
        self.saga.receive_stock(sku, quantity)

    @rule(sku=st.sampled_from(SKUS), quantity=st.integers(-3, 3))
    def correct_stock(self, sku: str, quantity: int) -> None:
        self.saga.correct_stock(sku, quantity)

    @precondition(lambda self: self.fates)
    @rule(number=numbers)
    def cancel(self, number: int) -> None:
        fate, order_id = self.fates.pop(number % len(self.fates))
        if fate == "cancelled":
            self.saga.cancel(order_id)
        else:
            self.saga.pass_deadline(order_id)

    @precondition(lambda self: self.saga.pipes)
    @rule(picked=st.lists(numbers, min_size=1, max_size=6), react=st.booleans())
    def arrive(self, picked: list[int], react: bool) -> None:
        for number in picked:
            if self.saga.pipes:
                line = self.saga.arrive(pick(list(self.saga.pipes), number))
                if react:
                    self.saga.react(line)

    @precondition(lambda self: self.saga.past and not self.saga.asks_early)
    @rule(number=numbers)
    def arrive_again(self, number: int) -> None:
        self.saga.arrive_again(*pick(self.saga.past, number))

    @precondition(lambda self: any(map(self.saga.may_ask, self.saga.lines)))
    @rule(line=numbers, number=numbers)
    def ask(self, line: int, number: int) -> None:
        asking = pick([line for line in self.saga.lines if self.saga.may_ask(line)], line)
        self.saga.ask(asking, number % len(self.saga.may_ask(asking)))

    @precondition(lambda self: self.saga.lines)
    @rule(number=numbers, how=st.sampled_from(ENDS_OF_A_REACTION))
    def react(self, number: int, how: dict[str, bool]) -> None:
        self.saga.react(pick(list(self.saga.lines), number), **how)

    @precondition(lambda self: any(map(self.saga.may_crash, self.saga.parties)))
    @rule(number=numbers)
    def crash(self, number: int) -> None:
        self.saga.crash(pick([group for group in self.saga.parties if self.saga.may_crash(group)], number))

    @precondition(lambda self: any(map(self.saga.has_news, self.saga.orders)))
    @rule(number=numbers)
    def check_refund(self, number: int) -> None:
        self.saga.check_refund(pick(list(filter(self.saga.has_news, self.saga.orders)), number))

    @precondition(lambda self: self.saga.owed())
    @rule(number=numbers)
    def retry_refund(self, number: int) -> None:
        self.saga.retry_refund(pick(self.saga.owed(), number))

    @precondition(lambda self: any(map(self.saga.may_refund, self.saga.orders)))
    @rule(number=numbers, share=st.integers(1, 3))
    def refund_part(self, number: int, share: int) -> None:
        order_id = pick(list(filter(self.saga.may_refund, self.saga.orders)), number)
        self.saga.refund_part(order_id, -(-self.saga.may_refund(order_id) // share))

    @rule()
    def settle(self) -> None:
        self.saga.settle()

    @invariant()
    def stock_is_right(self) -> None:
        check_stock(self.saga)

    def teardown(self) -> None:
        if hasattr(self, "saga"):
            self.saga.settle()
            check_end(self.saga)
