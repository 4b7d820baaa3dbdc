"""ScheduleRun: what a run of relays and one of consumers share, from a step to the end in which all has arrived."""

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, TypeVar

from tests.simulation.postgres import Postgres
from tests.simulation.steps import Step
from tests.simulation.world import World, begun

MOST_ROUNDS = 2000
"""Rounds in which everything that is left must arrive."""


class Violated(AssertionError):
    """What must hold does not."""


class ScheduleRun(ABC):
    """A world with a model of Postgres; each step is a method of the subclass."""

    must_end: ClassVar[str]
    """What is not so when too much is left, as the beginning of a sentence."""

    def __init__(self, world: World, postgres: Postgres) -> None:
        self.world = world
        self.postgres = postgres

    @abstractmethod
    def check(self) -> None:
        """Raises Violated when something does not hold that always must."""

    @abstractmethod
    def check_end(self) -> None:
        """Raises Violated when something does not hold that must once all has arrived."""

    @abstractmethod
    def cut_channel(self, host: str) -> None:
        """End what a host has at the broker."""

    @abstractmethod
    def heal(self) -> None:
        """End every fault."""

    @abstractmethod
    def serve(self) -> bool:
        """The servers do what they can. Returns whether they had something to do."""

    @property
    @abstractmethod
    def is_drained(self) -> bool: ...

    @abstractmethod
    def rest(self) -> str:
        """What is left, for an error."""

    def take_step(self, step: Step) -> None:
        getattr(self, step.name)(*step.arguments)
        self.check()

    def run(self, host: str, which: int, count: int) -> None:
        """Let one of its threads make so many calls, or fewer until it waits."""
        if tasks := self.world.of_host(host):
            task = tasks[which % len(tasks)]
            while count and self.world.run(task):
                count -= 1
                self.check()
            if task.error:
                raise task.error

    def kill(self, host: str) -> None:
        self.world.kill(host)
        self.cut_session(host)
        self.cut_channel(host)

    def cut_session(self, host: str) -> None:
        for session in [session for session in self.postgres.sessions if session.owner == host]:
            session.close()

    def sleep(self, seconds: float) -> None:
        self.world.now += seconds

    def drain(self) -> None:
        """Let everything go on until all has arrived."""
        for _ in range(MOST_ROUNDS):
            if not self.round():
                if self.is_drained:
                    return
                self.world.now = min(task.wake_at for task in self.world.tasks)
        raise Violated(f"{self.must_end}: {self.rest()}")

    def round(self) -> bool:
        """Everybody gets a turn. Returns whether somebody had something to do."""
        has_moved = self.serve()
        for task in list(self.world.tasks):
            has_moved |= self.world.run(task)
            if task.error:
                raise task.error
        self.check()
        return has_moved


Kind = TypeVar("Kind", bound=ScheduleRun)


def play(make: Callable[[World], Kind], steps: Sequence[Step], seed: int) -> Kind:
    """Run a schedule to its end; the seed decides what the product leaves to chance. Raises Violated."""
    state = random.getstate()
    random.seed(seed)
    try:
        with begun() as world:
            one = make(world)
            for step in steps:
                one.take_step(step)
            one.heal()
            one.drain()
            one.check_end()
            return one
    finally:
        random.setstate(state)
