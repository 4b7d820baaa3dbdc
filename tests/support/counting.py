"""A tiny service for tests of receiving: it counts; a switch per counter makes its reactions misbehave."""

import os
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import ClassVar
from uuid import UUID

from eventsourcing.domain import AggregateCreated, AggregateEvent, BaseAggregate, event

from ordersaga.consumer import deadlines, worker
from ordersaga.envelope.contract import Contract
from ordersaga.inbox import circuit
from ordersaga.inbox.reactions import Reactions
from ordersaga.parked import attempts, table
from ordersaga.service import Service
from ordersaga.store.announcements import Announcements
from ordersaga.store.deadline import Deadline
from ordersaga.store.transaction import Transaction

GROUP = "counting"
"""Also its database and its role; both servers know it, with the rights of any group."""

FAST_LEASE_SECONDS = 2


class Counted(Contract):
    """Something was counted."""

    NAME: ClassVar[str] = "test.counted.v1"
    SOURCE: ClassVar[str] = "test"
    KEY: ClassVar[str] = "counter_id"
    counter_id: UUID
    number: int


class Asked(Counted):
    """As Counted, but an outside step runs first."""

    NAME: ClassVar[str] = "test.asked.v1"


class CountKept(Counted):
    """What the service itself announces."""

    NAME: ClassVar[str] = "test.count_kept.v1"
    SOURCE: ClassVar[str] = GROUP


class Counter(BaseAggregate[UUID]):
    """Remembers every number in the order of arrival."""

    TOPIC = "counter"

    class Event(AggregateEvent):
        """Something that happened to a counter."""

    class Opened(Event, AggregateCreated):
        TOPIC = "counter.opened"

    class Kept(Event):
        TOPIC = "counter.kept"
        number: int

    @event(Opened)
    def __init__(self, id: UUID) -> None:
        self._id = id
        self.numbers: list[int] = []

    @event(Kept)
    def keep(self, number: int) -> None:
        self.numbers.append(number)


announcements = Announcements(GROUP)
reactions = Reactions()
service = Service(GROUP, announcements, reactions, resources=lambda _: "hello")
services = [service]
"""The application, for `ordersaga --app tests.support.counting`."""


@announcements.of(Counter.Kept)
def announce_count_kept(kept: Counter.Kept) -> CountKept:
    return CountKept(counter_id=kept.originator_id, number=kept.number)


class Switches:
    """One file per counter; what is in it happens to the counter's messages. Seen by all processes at once."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def set(self, counter_id: UUID, fault: str) -> None:
        (self.directory / str(counter_id)).write_text(fault)

    def clear(self, counter_id: UUID) -> None:
        (self.directory / str(counter_id)).unlink()

    def obey(self, counter_id: UUID, number: int) -> None:
        """`fail`, `silent`, `exit`, `slow` or `late` (slow, then it fails), with `:number` for one message alone."""
        try:
            fault, _, only = (self.directory / str(counter_id)).read_text().partition(":")
        except FileNotFoundError:
            return
        if only and int(only) != number:
            return
        match fault:
            case "fail":
                raise ValueError(f"counter {counter_id} cannot count {number}")
            case "silent":
                raise ConnectionError("no answer")
            case "exit":
                os._exit(9)
            case "slow" | "late":
                self._sign(counter_id).touch()
                while (self.directory / str(counter_id)).exists():
                    time.sleep(0.02)
                if fault == "late":
                    raise ValueError(f"counter {counter_id} was late with {number}")

    def is_obeyed(self, counter_id: UUID) -> bool:
        """Whether a slow message is being slow."""
        return self._sign(counter_id).exists()

    def _sign(self, counter_id: UUID) -> Path:
        return self.directory / f"{counter_id}.obeyed"


def switches() -> Switches | None:
    directory = os.environ.get("COUNTING_SWITCHES")
    return Switches(Path(directory)) if directory else None


def keep(message: Counted, transaction: Transaction) -> None:
    counter = transaction.find(Counter, message.counter_id) or Counter(id=message.counter_id)
    counter.keep(message.number)
    transaction.save(counter)


def the_counter(message: Counted) -> tuple[UUID]:
    return (message.counter_id,)


def ask(message: Asked, _: Transaction, name: str) -> str:
    if found := switches():
        found.obey(message.counter_id, message.number)
    return f"{name}, {message.number}"


def is_asked(message: Asked, _: Transaction) -> bool:
    return message.number > 0


@reactions.to(Counted, loads=the_counter)
def when_counted_keep_it(message: Counted, transaction: Transaction) -> None:
    if found := switches():
        found.obey(message.counter_id, message.number)
    keep(message, transaction)


@reactions.to(Asked, loads=the_counter, outside=ask, needs_outside=is_asked, resource="answering machine")
def when_asked_keep_it(message: Asked, transaction: Transaction, answer: str | None) -> None:
    assert answer == (f"hello, {message.number}" if is_asked(message, transaction) else None)
    keep(message, transaction)


DEADLINE = "closing"


@reactions.to_deadline(DEADLINE)
def when_closing_keep_minus_one(counter_id: UUID, transaction: Transaction) -> None:
    counter = transaction.get(Counter, counter_id)
    counter.keep(-1)
    transaction.save(counter)


def closing(counter_id: UUID, after: timedelta) -> Deadline:
    return Deadline(DEADLINE, counter_id, after)


def main() -> int:
    """The service's worker, with little patience."""
    attempts.LEASE = timedelta(seconds=FAST_LEASE_SECONDS)
    table.MAX_ATTEMPTS = int(os.environ.get("COUNTING_ATTEMPTS", table.MAX_ATTEMPTS))
    table.BASE = timedelta(seconds=float(os.environ.get("COUNTING_BASE", 0.1)))
    deadlines.IDLE_SECONDS = 0.02
    circuit.PROBE_SECONDS = 0.2
    threading.excepthook = lambda failed: os._exit(70)
    return worker.run(service)


if __name__ == "__main__":
    sys.exit(main())
