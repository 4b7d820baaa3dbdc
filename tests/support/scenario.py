"""The sentence of a domain test: given these steps, when this one, then these events and announcements."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import pytest

from ordersaga.envelope.contract import Contract
from ordersaga.envelope.message import Cause, Message
from ordersaga.store.aggregates import NewEventRow
from ordersaga.store.topics import mapper
from ordersaga.store.transaction import Transaction
from tests.support.given import ENVELOPE, Service


class Happened(NamedTuple):
    """An event as a test expects it: its class and what it says, without id, version and time."""

    event: type
    says: dict[str, Any]


def happened(event: type, **says: Any) -> Happened:
    return Happened(event, says)


@dataclass(frozen=True)
class Heard:
    """A message that arrives; `answer` holds what its outside step said, or nothing: then it is asked now."""

    data: Contract
    answer: tuple[Any, ...] = ()


def heard(data: Contract, *answer: Any) -> Heard:
    return Heard(data, answer)


@dataclass(frozen=True)
class Passed:
    """A deadline that passes."""

    name: str
    id: UUID


Step = Callable[[Transaction], object] | Heard | Passed


def do(service: Service, step: Step) -> None:
    """Each step is a transaction of its own; a message that is heard twice comes with another id each time."""
    if isinstance(step, Passed):
        service.pass_deadline(step.name, step.id)
    elif isinstance(step, Heard):
        message = message_of(step.data)
        answer = step.answer
        if service.reaction_to(message).outside and not answer:
            answer = (service.ask(message),)
        service.react(message, *answer)
    else:
        service.decide(step)


def message_of(data: Contract) -> Message:
    key = str(getattr(data, data.KEY))
    return Message(
        id=uuid4(),
        contract=data.NAME,
        source=data.SOURCE,
        key=key,
        sequence=1,
        time=datetime.now(UTC),
        event_hash=bytes(32),
        cause=Cause(uuid4()),
        body=data.model_dump_json(),
    )


@dataclass
class Scenario:
    """Begins with `given`; nothing runs before `then` or `refused`."""

    service: Service
    step: Step | None = None

    def given(self, *steps: Step) -> "Scenario":
        for step in steps:
            do(self.service, step)
        return self

    def when(self, step: Step) -> "Scenario":
        self.step = step
        return self

    def then(self, *expected: Happened | Contract) -> None:
        """Exactly these events in this order, and exactly these announcements in this order; none is nothing."""
        before = len(self.service.events), len(self.service.said)
        assert self.step is not None
        do(self.service, self.step)
        events = [as_happened(row) for row in self.service.events[before[0] :]]
        said = [(message.contract, message.body) for message in self.service.said[before[1] :]]
        assert events == [each for each in expected if isinstance(each, Happened)]
        assert said == [(each.NAME, each.model_dump_json()) for each in expected if isinstance(each, Contract)]

    def refused(self, error: type[Exception], match: str) -> None:
        """The step raises, and nothing of it is kept."""
        before = len(self.service.events), len(self.service.said), len(self.service.deadlines)
        assert self.step is not None
        with pytest.raises(error, match=match):
            do(self.service, self.step)
        assert before == (len(self.service.events), len(self.service.said), len(self.service.deadlines))


def as_happened(row: NewEventRow) -> Happened:
    event = mapper.to_domain_event(row.stored)
    return Happened(type(event), {name: value for name, value in vars(event).items() if name not in ENVELOPE})
