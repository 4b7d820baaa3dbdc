"""What of a batch is handled, parked, counted and told, under which locks, without servers."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, Self
from uuid import UUID, uuid4

import pytest

from ordersaga.consumer import receiver
from ordersaga.consumer.receiver import DUPLICATES, PARKED, WAIT_BRIEFLY, Receiver
from ordersaga.inbox import spans
from ordersaga.inbox.delivery import Broken, Received, read
from ordersaga.inbox.forks import FORKS, fork_id
from ordersaga.inbox.look import Look
from ordersaga.parked import failure_notes, table
from ordersaga.parked.table import NewlyParked
from ordersaga.runtime.errors import CircuitOpen
from tests.support.counting import Counted
from tests.support.parking import delivery, received
from tests.support.workers import counted

GROUP = "received_alone"


@dataclass
class ParkedRows:
    """The parked messages, and what was said to the database in order."""

    rows: list[NewlyParked] = field(default_factory=list)
    said: list[tuple[Any, ...]] = field(default_factory=list)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.said.append(("begin",))
        yield
        self.said.append(("commit",))

    def lock(self, _: object, keys: Iterable[str | None]) -> None:
        self.said.append(("lock", *keys))

    def parked_among(self, _: object, keys: Iterable[str]) -> set[str]:
        return {row.key for row in self.rows if row.key is not None} & set(keys)

    def hashes(self, _: object, ids: Iterable[UUID]) -> dict[UUID, bytes]:
        ids = set(ids)
        return {row.id: bytes.fromhex(row.delivery.headers["ce-eventhash"]) for row in self.rows if row.id in ids}

    def append(self, _: object, entries: Sequence[NewlyParked]) -> None:
        self.said += [("append", each.key, each.state) for each in entries]
        self.rows += entries

    def let_first_decide(self, _: object, keys: Iterable[str]) -> None:
        self.said.append(("let first decide", *keys))


@dataclass
class NotedHandler:
    """What was handled, and what took effect before."""

    contracts: dict[str, Any] = field(default_factory=lambda: {Counted.NAME: Counted})
    effects: dict[UUID, bytes] = field(default_factory=dict)
    handled: list[Received] = field(default_factory=list)
    parked: set[str] = field(default_factory=set)

    def known(self, _: object, ids: Sequence[UUID]) -> dict[UUID, bytes]:
        return {id_: self.effects[id_] for id_ in ids if id_ in self.effects}

    def look(self, connection: ParkedRows, messages: Sequence[Received], _: object) -> Look:
        connection.said.append(("look",))
        return Look(self.known(connection, [message.id for message in messages]), self.parked)

    def handle(self, _: object, messages: Sequence[Received], __: object) -> None:
        self.handled += messages


class NotedBlock:
    """The transaction of a batch."""

    def __init__(self, connection: ParkedRows, ring: object) -> None:
        self.connection = connection

    def begin(self) -> None:
        self.connection.said.append(("begin",))

    def begin_with(self, statement: str) -> None:
        self.connection.said.append(("begin with", statement))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.said.append(("end",))


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> ParkedRows:
    rows = ParkedRows()
    for name in ("lock", "parked_among", "hashes", "append", "let_first_decide"):
        monkeypatch.setattr(table, name, getattr(rows, name))
    monkeypatch.setattr(receiver, "LazyTransaction", NotedBlock)
    monkeypatch.setattr(failure_notes, "seen", lambda _, *failure: rows.said.append(("seen", *failure)))
    told = SimpleNamespace(warning=lambda what, **about: rows.said.append((what, about["state"], about["error"])))
    monkeypatch.setattr(receiver, "log", told)
    return rows


@pytest.fixture
def handler() -> NotedHandler:
    return NotedHandler()


@pytest.fixture
def one(handler: NotedHandler) -> Receiver:
    told: Any = handler
    return Receiver(GROUP, told)


def numbered(number: int = 1, counter: UUID | None = None, delivered_before: int = 0) -> Received:
    return received(counted(counter or uuid4(), number), delivered_before)


def forged(message: Received) -> Received:
    """Another event under the same id."""
    return received(replace(message.message, event_hash=b"\1" * 32))


def receive(one: Receiver, rows: ParkedRows, *messages: Received | Broken) -> None:
    connection: Any = rows
    one.receive(connection, messages)


def park(one: Receiver, rows: ParkedRows, message: Received, error: Exception) -> None:
    connection: Any = rows
    one.park_failed(connection, message, error)


def counts() -> tuple[float, float]:
    """Messages that were parked, and forks."""
    return PARKED.labels(GROUP)._value.get(), FORKS.labels(GROUP)._value.get()


def appended(rows: ParkedRows) -> list[tuple[Any, ...]]:
    return [said[1:] for said in rows.said if said[0] == "append"]


@pytest.mark.parametrize("brief", [False, True])
def test_a_batch_that_waits_briefly_says_so_before_it_looks(one: Receiver, rows: ParkedRows, brief: bool) -> None:
    connection: Any = rows
    one.react_at_once(connection, [numbered()], brief)
    assert rows.said == [*([("begin with", WAIT_BRIEFLY)] if brief else []), ("look",), ("end",)]


def test_what_waits_behind_a_parked_message_is_appended_under_the_lock_of_its_key_and_may_spare_it_its_call(
    one: Receiver, rows: ParkedRows, handler: NotedHandler
) -> None:
    counter = uuid4()
    receive(one, rows, numbered(1, counter, delivered_before=2))
    rows.said.clear()
    handler.parked = {str(counter)}
    behind, other = numbered(2, counter), numbered()
    receive(one, rows, behind, other)
    key = str(counter)
    assert rows.said == [
        ("look",),
        ("begin",),
        ("lock", key),
        ("append", key, "waiting"),
        ("let first decide", key),
        ("end",),
    ]
    assert handler.handled == [other]


def test_the_spans_of_a_batch_end_with_it_when_spans_are_recorded(
    one: Receiver, rows: ParkedRows, handler: NotedHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[tuple[int, int, int, int]] = []
    monkeypatch.setattr(spans, "end", lambda *found: ended.append((*map(len, found[:3]), found[3])))
    before, new = numbered(), numbered()
    handler.effects[before.id] = before.message.event_hash
    duplicates = DUPLICATES.labels(GROUP)._value.get()
    receive(one, rows, before, new)
    assert ended == []
    monkeypatch.setattr(spans, "now", lambda: 5)
    receive(one, rows, before, new)
    assert ended == [(2, 1, 1, 5)]
    assert DUPLICATES.labels(GROUP)._value.get() - duplicates == 2


def test_a_message_that_may_have_killed_the_process_is_parked_and_not_handled(
    one: Receiver, rows: ParkedRows, handler: NotedHandler
) -> None:
    receive(one, rows, numbered(delivered_before=2))
    [parked] = rows.rows
    assert (parked.state, parked.failure.error) == ("retrying", table.SUSPECT)
    assert (parked.attempts, parked.pause) == (1, table.BASE)
    assert handler.handled == []


def test_an_attempt_that_made_no_call_does_not_count_and_another_does(one: Receiver, rows: ParkedRows) -> None:
    park(one, rows, numbered(), CircuitOpen("away"))
    park(one, rows, numbered(), ValueError("no"))
    assert [(row.state, row.failure.error, row.attempts) for row in rows.rows] == [
        ("retrying", "CircuitOpen", 0),
        ("retrying", "ValueError", 1),
    ]


def test_a_message_is_counted_noted_and_logged_once_it_is_parked(one: Receiver, rows: ParkedRows) -> None:
    message, (before, forks) = numbered(), counts()
    park(one, rows, message, ValueError("no"))
    assert [said[0] for said in rows.said] == ["begin", "lock", "append", "commit", "seen", "message parked"]
    assert rows.said[-2][1:3] == ("ValueError", Counted.NAME)
    assert rows.said[-1][1:] == ("retrying", "ValueError")
    assert counts() == (before + 1, forks)


def test_a_message_that_took_effect_or_is_parked_is_not_parked_again(
    one: Receiver, rows: ParkedRows, handler: NotedHandler
) -> None:
    took_effect, parked, before = numbered(), numbered(), counts()
    handler.effects[took_effect.id] = took_effect.message.event_hash
    park(one, rows, parked, ValueError("no"))
    rows.said.clear()
    for message in (took_effect, parked):
        park(one, rows, message, ValueError("no"))
    assert rows.said == [("begin",), ("commit",)] * 2
    assert counts() == (before[0] + 1, before[1])


def test_a_message_that_fails_behind_a_parked_one_waits_there_without_a_failure_of_its_own(
    one: Receiver, rows: ParkedRows
) -> None:
    counter, before = uuid4(), counts()
    key = str(counter)
    park(one, rows, numbered(1, counter), ValueError("no"))
    rows.said.clear()
    park(one, rows, numbered(2, counter), ValueError("no"))
    assert rows.said == [
        ("begin",),
        ("lock", key),
        ("append", key, "waiting"),
        ("let first decide", key),
        ("commit",),
    ]
    assert counts() == (before[0] + 1, before[1])


def test_a_fork_is_quarantined_under_the_lock_of_its_key_and_is_reported_in_place_of_a_failure(
    one: Receiver, rows: ParkedRows, handler: NotedHandler
) -> None:
    real, before = numbered(), counts()
    handler.effects[real.id] = real.message.event_hash
    fork = forged(real)
    park(one, rows, fork, ValueError("no"))
    assert rows.said == [("begin",), ("lock", real.key), ("append", real.key, "dead"), ("commit",)]
    assert [row.id for row in rows.rows] == [fork_id(fork)]
    assert counts() == (before[0], before[1] + 1)


def test_a_fork_that_was_skipped_is_neither_parked_nor_reported_again(
    one: Receiver, rows: ParkedRows, handler: NotedHandler
) -> None:
    real, before = numbered(), counts()
    fork = forged(real)
    handler.effects = {real.id: real.message.event_hash, fork_id(fork): b""}
    park(one, rows, fork, ValueError("no"))
    assert (appended(rows), counts()) == ([], before)


def test_what_cannot_be_read_and_has_no_key_is_dead_and_locks_nothing(one: Receiver, rows: ParkedRows) -> None:
    unread = read(delivery(counted(uuid4(), 1))._replace(headers={}), {Counted.NAME: Counted})
    receive(one, rows, unread)
    assert appended(rows) == [(None, "dead")]
    assert [said for said in rows.said if said[0] == "lock"] == []
