"""DispatchStandIns: the clock, the session, the broker and the tables of a Dispatch without servers."""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from ordersaga.envelope.message import Message
from ordersaga.relay import dispatch
from ordersaga.relay.confirms import Outcome
from ordersaga.relay.dispatch import Dispatch
from ordersaga.relay.publisher import never
from ordersaga.relay.undeliverable import RefusedRow
from ordersaga.relay.window import Outgoing
from tests.library.unit.outgoing import NOTHING

DATABASE = "dispatched"
MAX_BYTES = 1000


@dataclass
class SetClock:
    now: float = 100.0

    def monotonic(self) -> float:
        return self.now


@dataclass
class AnsweringBroker:
    """What was sent, what was waited for, and what it answers next."""

    sent: list[Message] = field(default_factory=list)
    waits: list[tuple[int, float]] = field(default_factory=list)
    idle: list[float] = field(default_factory=list)
    answers: list[Outcome] = field(default_factory=list)
    dropped: int = 0

    def send(self, messages: Sequence[Message], exchanges_of: object = None) -> None:
        self.sent += messages

    def settle(self, at_most: int, seconds: float, woken: Callable[[], bool] = never) -> Outcome:
        self.waits.append((at_most, seconds))
        return self.answers.pop(0) if self.answers else NOTHING

    def wait(self, seconds: float, woken: Callable[[], bool] = never) -> None:
        self.idle.append(seconds)

    def drop_in_flight(self) -> None:
        self.dropped += 1


@dataclass
class UndeliverableRows:
    """The undeliverable messages: those that are due, and what became of them."""

    keys: set[str] = field(default_factory=set)
    ready: list[Outgoing] = field(default_factory=list)
    asked: int = 0
    recorded: list[RefusedRow] = field(default_factory=list)
    again: list[RefusedRow] = field(default_factory=list)
    done: list[Outgoing] = field(default_factory=list)

    def due(self, *_: object) -> list[Outgoing]:
        self.asked += 1
        found, self.ready = self.ready, []
        return found

    def record(self, refused: Sequence[RefusedRow]) -> None:
        self.recorded += refused

    def refused_again(self, refused: RefusedRow) -> None:
        self.again.append(refused)

    def delivered(self, rows: Sequence[Outgoing]) -> None:
        self.done += rows


@dataclass
class DetachedQueues:
    """The detached ones: without `routes`, there is none."""

    routes: Any = None
    silence: Any = None
    tried: list[Outgoing] = field(default_factory=list)

    def deliverable(self, rows: Sequence[Outgoing]) -> list[Outgoing]:
        return list(rows)

    def retried(self, rows: Iterable[Outgoing]) -> None:
        self.tried += rows


@dataclass
class CountedSession:
    statements: int = 0

    def execute(self, statement: str) -> None:
        self.statements += 1


@dataclass
class DispatchStandIns:
    """A Dispatch, and what it calls."""

    clock: SetClock
    broker: AnsweringBroker = field(default_factory=AnsweringBroker)
    table: UndeliverableRows = field(default_factory=UndeliverableRows)
    queues: DetachedQueues = field(default_factory=DetachedQueues)
    session: CountedSession = field(default_factory=CountedSession)
    stop: threading.Event = field(default_factory=threading.Event)
    checked: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        access: Any = SimpleNamespace(
            database=DATABASE, announced=None, refusal_of=lambda message: None, max_bytes=MAX_BYTES
        )
        found: Any = self
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(dispatch, "Undeliverable", lambda database, connection: self.table)
            patch.setattr(dispatch, "Stall", lambda *_: SimpleNamespace(check=self.checked.append))
            self.dispatch = Dispatch(access, found.session, found.broker, found.queues, found.queues, self.stop)

    def retry(self, *rows: Outgoing) -> None:
        """These undeliverable ones are due."""
        self.table.keys |= {each.message.key for each in rows}
        self.table.ready += rows

    @property
    def positions(self) -> list[int]:
        return [message.sequence for message in self.broker.sent]
