"""Which transactions a batch is tried in when some of its messages fail, without servers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from ordersaga.consumer import receiver
from ordersaga.consumer.receiver import Receiver
from ordersaga.inbox.delivery import Received
from ordersaga.runtime import backoff
from ordersaga.runtime.backoff import CONFLICT_RETRIES
from ordersaga.runtime.errors import Conflict, Unavailable
from tests.support.counting import GROUP
from tests.support.parking import handler, received
from tests.support.workers import counted


@dataclass
class EndedSession:
    closed: bool = False


@dataclass
class TriedBatches:
    """The batches that were tried, with the error that each has, and what was parked in the end."""

    errors: dict[UUID, Exception] = field(default_factory=dict)
    tried: list[tuple[int, bool]] = field(default_factory=list)
    parked: list[Received] = field(default_factory=list)

    def react_at_once(self, _: object, messages: Sequence[Received], brief: bool) -> None:
        self.tried.append((len(messages), brief))
        for message in messages:
            if error := self.errors.get(message.id):
                raise error

    def park_failed(self, _: object, message: Received, error: Exception) -> None:
        assert error is self.errors[message.id]
        self.parked.append(message)


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> EndedSession:
    monkeypatch.setattr(receiver, "refuse_locked_tables", lambda *_: None)
    monkeypatch.setattr(backoff, "time", SimpleNamespace(sleep=lambda _: None))
    return EndedSession()


@pytest.fixture
def one() -> Receiver:
    return Receiver(GROUP, handler)


@pytest.fixture
def tried(one: Receiver, monkeypatch: pytest.MonkeyPatch) -> TriedBatches:
    tried = TriedBatches()
    monkeypatch.setattr(one, "react_at_once", tried.react_at_once)
    monkeypatch.setattr(one, "park_failed", tried.park_failed)
    return tried


def one_message() -> Received:
    return received(counted(uuid4(), 1))


def receive(one: Receiver, session: EndedSession, *messages: Received) -> None:
    connection: Any = session
    one.receive(connection, messages)


@pytest.mark.parametrize("number", [1, 2, 4])
def test_a_conflict_of_one_message_is_tried_ten_times_more_and_that_of_several_once(
    one: Receiver, session: EndedSession, tried: TriedBatches, number: int
) -> None:
    messages = [one_message() for _ in range(number)]
    tried.errors = {message.id: Conflict() for message in messages}
    receive(one, session, *messages)
    sizes = [size for size, _ in tried.tried]
    assert sizes.count(1) == number * (1 + CONFLICT_RETRIES)
    assert [sizes.count(size) for size in (2, 4)] == [2 * (number // 2), 2 * (number // 4)]
    assert tried.parked == messages


def test_after_an_outage_amid_a_batch_the_next_is_half_as_large(
    one: Receiver, session: EndedSession, tried: TriedBatches
) -> None:
    messages = [one_message() for _ in range(6)]
    tried.errors = {messages[5].id: Unavailable("away")}
    with pytest.raises(Unavailable):
        receive(one, session, *messages)
    assert (one.max_batch, tried.parked) == (3, [])


def test_after_an_error_that_ends_its_session_the_next_batch_is_half_as_large_and_a_single_message_is_parked(
    one: Receiver, session: EndedSession, tried: TriedBatches
) -> None:
    messages = [one_message() for _ in range(6)]
    error = tried.errors[messages[5].id] = psycopg.errors.IdleInTransactionSessionTimeout()
    session.closed = True
    with pytest.raises(Unavailable):
        receive(one, session, *messages)
    assert (one.max_batch, messages[5].failure) == (3, None)
    with pytest.raises(Unavailable):
        receive(one, session, messages[5])
    assert messages[5].failure is error
    session.closed = False
    receive(one, session, *messages)
    assert tried.parked == [messages[5]]


def test_after_a_lock_timeout_the_halves_wait_briefly_and_after_another_error_they_do_not(
    one: Receiver, session: EndedSession, tried: TriedBatches
) -> None:
    messages = [one_message() for _ in range(4)]
    tried.errors = {messages[0].id: psycopg.errors.LockNotAvailable()}
    receive(one, session, *messages)
    assert tried.tried == [(4, False), (2, True), (1, True), (1, True), (2, True)]
    tried.tried.clear()
    tried.errors = {messages[0].id: ValueError("no")}
    receive(one, session, *messages)
    assert tried.tried == [(4, False), (2, False), (1, False), (1, False), (2, False)]


def test_the_halves_of_what_waits_briefly_do_too_whatever_fails_there(
    one: Receiver, session: EndedSession, tried: TriedBatches, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = [one_message() for _ in range(4)]
    tried.errors = {messages[0].id: ValueError("no"), messages[2].id: psycopg.errors.LockNotAvailable()}
    errors = iter([messages[2], messages[0]])

    def fail_the_lock_first(_: object, batch: Sequence[Received], brief: bool) -> None:
        tried.tried.append((len(batch), brief))
        if len(batch) > 1 and (failing := next(errors, None)):
            raise tried.errors[failing.id]

    monkeypatch.setattr(one, "react_at_once", fail_the_lock_first)
    receive(one, session, *messages)
    assert tried.tried == [(4, False), (2, True), (1, True), (1, True), (2, True)]
