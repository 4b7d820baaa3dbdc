"""Full load: so many orders are under way all the time, and the next is placed when an earlier one has ended."""

import time
from collections.abc import Callable
from contextlib import closing
from typing import NamedTuple
from uuid import UUID

import psycopg

from benchmarks import spent, stack
from benchmarks.customers import Customers
from benchmarks.under_load import WAIT_SECONDS
from devstack.running import Stack

UNDER_WAY = 256
"""Sagas that are under way all the time."""
LOOK_EVERY = 0.02
SHED_SECONDS = 0.25
"""Nobody places an order for so long after one was refused for now."""
WARM_SECONDS = 2.0


class Crowd:
    """Keeps so many orders under way."""

    def __init__(self, customers: Customers, ended_among: Callable[[list[UUID]], set[UUID]]) -> None:
        self.customers = customers
        self._ended_among = ended_among
        self._under_way: set[UUID] = set()
        self._ended = 0
        self._next_look = 0.0
        self._not_before = 0.0
        self.shed = 0

    def run(self, seconds: float, under_way: int = UNDER_WAY) -> int:
        """How many have ended in that time. An order that the API refuses for now is not tried again."""
        before, end = self._ended, time.perf_counter() + seconds
        while time.perf_counter() < end:
            while self._may_place(under_way):
                self.customers.place()
            for answer in self.customers.answers(min(end, self._next_look) - time.perf_counter()):
                if answer.ended:
                    self._ended += 1
                elif answer.order_id:
                    self._under_way.add(answer.order_id)
                else:
                    self.shed += 1
                    self._not_before = answer.at + SHED_SECONDS
            self._look()
        return self._ended - before

    def _may_place(self, under_way: int) -> bool:
        few = self.customers.busy + len(self._under_way) < under_way
        return few and self.customers.free and time.perf_counter() >= self._not_before

    def _look(self) -> None:
        if time.perf_counter() > self._next_look:
            ended = self._ended_among(list(self._under_way))
            self._under_way -= ended
            self._ended += len(ended)
            self._next_look = time.perf_counter() + LOOK_EVERY

    def go_home(self) -> None:
        """Until the last order has ended."""
        while self.customers.busy or self._under_way:
            self.run(LOOK_EVERY, 0)


class Sustained(NamedTuple):
    """Sagas a second, milliseconds of CPU per saga by process, MB of all processes, and orders refused for now."""

    per_s: float
    cpu: dict[str, float]
    memory_mb: float
    shed: int


def sustained(crowd: Crowd, pids: dict[str, int], seconds: float) -> Sustained:
    crowd.run(WARM_SECONDS)
    before, began = spent.cpu(pids), time.perf_counter()
    ended = crowd.run(seconds)
    passed, taken = time.perf_counter() - began, spent.since(before, pids)
    memory = spent.memory_mb(pids)
    crowd.go_home()
    return Sustained(ended / passed, {name: 1000 * each / ended for name, each in taken.items()}, memory, crowd.shed)


def of_stack(running: Stack, seconds: float) -> Sustained:
    """No card is declined."""
    return of_customers(running, stack.customers(running), seconds)


def of_waiting(running: Stack, seconds: float) -> Sustained:
    """The customers of `under_load`: each order asks to be answered at its end, and every tenth card is declined.

    Such an order costs more than one that is answered at once.
    """
    waiting = stack.customers(running, WAIT_SECONDS, stack.DECLINED_EVERY, UNDER_WAY)
    return of_customers(running, waiting, seconds)


def of_customers(running: Stack, customers: Customers, seconds: float) -> Sustained:
    with (
        psycopg.connect(running.environments.owner_urls()["order_service"], autocommit=True) as store,
        closing(customers),
    ):
        crowd = Crowd(customers, lambda ids: {id_ for id_, _ in store.execute(stack.ENDED, (ids,), prepare=True)})
        return sustained(crowd, stack.pids(running), seconds)
