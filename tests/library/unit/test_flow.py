"""The flow tells sagas that wait for capacity, which nothing may join, from those that wait for something else."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import inf
from uuid import UUID, uuid4

from ordersaga.http.flow import FEWEST_OPEN, FORGOTTEN_AFTER, Flow, SagaEvent

LIMIT = 3.0
TICK = 0.25


@dataclass
class Shop:
    """Sagas that end one after the other, at most so many a second, each `pause` seconds after its turn at least."""

    per_second: float
    pause: float = 0.05
    flow: Flow = field(default_factory=lambda: Flow(LIMIT))
    now: float = 1000.0
    refused: int = 0
    longest: float = 0.0
    waiting: "deque[tuple[UUID, float]]" = field(default_factory=deque)
    events: list[SagaEvent] = field(default_factory=list)

    def begin(self, number: int) -> None:
        room = self.flow.room
        for _ in range(number):
            room -= 1
            if room < 0:
                self.refused += 1
                continue
            self.waiting.append((uuid4(), self.now))
            self.events.append(SagaEvent(self.waiting[-1][0], True, self.now, False))

    def end(self, number: int, by_message: bool = True) -> None:
        for _ in range(number):
            if self.waiting and self.waiting[0][1] <= self.now - self.pause:
                id_, begun = self.waiting.popleft()
                self.longest = max(self.longest, self.now - begun)
                self.events.append(SagaEvent(id_, False, self.now, by_message))

    def pass_time(self, seconds: float, each: Callable[[], None] = lambda: None, offered: float = 0) -> None:
        for _ in range(int(seconds / TICK)):
            self.begin(int(offered * TICK))
            self.now += TICK
            self.end(int(self.per_second * TICK))
            each()
            self.flow.follow(self.events[-200:])
            self.flow.forget(self.now)


def test_at_half_as_much_again_as_it_carries_no_saga_takes_much_longer_than_the_limit() -> None:
    shop = Shop(per_second=100)
    shop.pass_time(120, offered=150)
    assert shop.longest < 1.5 * LIMIT
    assert 0.25 < shop.refused / (120 * 150) < 0.4
    shop.pass_time(2 * LIMIT)
    assert shop.flow.room == inf
    assert not shop.waiting
    assert shop.flow.open == 0


def test_below_what_it_carries_nothing_is_refused() -> None:
    shop = Shop(per_second=100, pause=0.5)
    shop.pass_time(60, offered=96)
    assert (shop.refused, shop.flow.room) == (0, inf)


def test_while_nothing_ends_at_all_everything_is_let_in() -> None:
    shop = Shop(per_second=0)
    shop.pass_time(200, offered=100)
    assert (shop.refused, shop.flow.room) == (0, inf)
    assert shop.flow.open <= FORGOTTEN_AFTER * LIMIT * 100


def stuck_beside(shop: Shop, others: float) -> Iterator[None]:
    while True:
        quick = [uuid4() for _ in range(int(others * TICK))]
        shop.events += [SagaEvent(id_, True, shop.now - 0.05, False) for id_ in quick]
        shop.events += [SagaEvent(id_, False, shop.now, True) for id_ in quick]
        yield


def test_a_thousand_that_wait_for_something_slow_keep_out_nobody_while_others_end_soon() -> None:
    shop = Shop(per_second=0)
    beside = stuck_beside(shop, others=20)
    shop.pass_time(60, lambda: next(beside), offered=40)
    assert len(shop.waiting) > 1000
    assert (shop.refused, shop.flow.room) == (0, inf)


def test_ends_by_customers_and_deadlines_are_no_sign_of_a_flow() -> None:
    shop = Shop(per_second=0)
    shop.pass_time(60, lambda: shop.end(10, by_message=False), offered=50)
    assert (shop.refused, shop.flow.room) == (0, inf)


def test_after_what_they_waited_for_is_back_all_are_let_in_again() -> None:
    shop = Shop(per_second=0)
    shop.pass_time(300, offered=50)
    shop.per_second = 200
    shop.pass_time(200, offered=50)
    assert shop.flow.room == inf
    assert len(shop.waiting) < 50


def test_a_few_slow_ones_at_a_low_rate_are_no_queue() -> None:
    shop = Shop(per_second=8, pause=10)
    shop.pass_time(120, offered=8)
    assert shop.refused == 0
    assert shop.flow.room <= FEWEST_OPEN


def test_the_same_event_counts_once_however_often_it_is_told() -> None:
    flow, id_ = Flow(LIMIT), uuid4()
    events = [SagaEvent(id_, True, 1.0, False), SagaEvent(id_, False, 2.0, True)]
    for _ in range(3):
        flow.follow(events)
    assert (flow.open, flow.per_second) == (0, 0.5)
    flow.forget(1000.0)
    flow.follow(events[:1])
    assert (flow.open, flow.per_second) == (0, 0)
