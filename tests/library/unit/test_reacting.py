"""What a batch of reactions locks, loads and gets, without servers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from ordersaga.inbox import reactor
from ordersaga.inbox.delivery import NoAnswer, Received
from ordersaga.inbox.look import Look
from ordersaga.inbox.reactions import Reactions
from ordersaga.inbox.reactor import LOCKING_SECONDS, MAX_OPTIMISTIC, Reactor
from ordersaga.runtime.errors import Conflict, TooManyLocks
from ordersaga.store.cache import AggregateCache
from tests.support.counting import Asked, Counted, announcements
from tests.support.parking import received
from tests.support.workers import counted

SHARED = [UUID(int=number) for number in range(1, 4)]


@dataclass
class NotedTransaction:
    """What the reactor asks of a transaction, in order."""

    said: list[tuple[Any, ...]] = field(default_factory=list)
    cause: Any = None

    def lock(self, ids: Iterable[UUID]) -> None:
        self.said.append(("lock", sorted(ids)))

    def load_behind_lock(self, ids: Iterable[UUID]) -> None:
        self.said.append(("load behind lock", sorted(ids)))

    def lock_late(self, ids: Iterable[UUID]) -> None:
        self.said.append(("lock late", sorted(ids)))

    def load(self, ids: Iterable[UUID]) -> None:
        self.said.append(("load", sorted(ids)))

    def receive(self, message: Any, are_parked: bool) -> None:
        self.said.append(("receive", message.sequence))

    def flush(self) -> None:
        self.said.append(("flush",))


def numbered(number: int, contract: type[Counted] = Counted) -> Received:
    return received(counted(uuid4(), number, contract))


def locking(number: int) -> Reactor:
    """Each message needs so many of the shared ones."""
    reactions = Reactions()

    def react(message: Counted, transaction: Any) -> None:
        transaction.said.append(("react", message.number))

    reactions.to(Counted, locks=lambda _, __: SHARED[:number])(react)
    return Reactor(reactions, announcements)


def react(reactor: Reactor, messages: int) -> list[tuple[Any, ...]]:
    transaction: Any = NotedTransaction()
    reactor.react(transaction, reactor.pairs([numbered(number) for number in range(1, messages + 1)]), False)
    return list(transaction.said)


@pytest.mark.parametrize(("messages", "locks", "refused"), [(1, 3, False), (2, 2, False), (2, 3, True), (3, 3, True)])
def test_several_messages_take_no_more_locks_than_they_may_and_a_single_one_as_many_as_it_needs(
    messages: int, locks: int, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reactor, "MAX_LOCKS", 2)
    if not refused:
        assert ("flush",) in react(locking(locks), messages)
        return
    with pytest.raises(TooManyLocks, match="messages need 3 locks, more than 2"):
        react(locking(locks), messages)


def test_a_small_batch_loads_what_it_shares_at_once_and_locks_late() -> None:
    assert react(locking(2), 2) == [
        ("lock late", SHARED[:2]),
        ("load", SHARED[:2]),
        ("receive", 1),
        ("react", 1),
        ("receive", 2),
        ("react", 2),
        ("flush",),
    ]


def test_a_larger_batch_locks_what_it_shares_before_all_else() -> None:
    one = locking(1)
    assert not one.locks_first(MAX_OPTIMISTIC)
    assert one.locks_first(MAX_OPTIMISTIC + 1)
    assert react(one, MAX_OPTIMISTIC)[0] == ("lock late", SHARED[:1])
    assert react(one, MAX_OPTIMISTIC + 1)[:2] == [("lock", SHARED[:1]), ("load behind lock", SHARED[:1])]


def test_a_reactor_locks_first_for_a_minute_after_a_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(reactor, "time", SimpleNamespace(monotonic=lambda: now[0]))
    one = locking(0)

    def conflict(*_: Any) -> None:
        raise Conflict

    monkeypatch.setattr(one, "react", conflict)
    assert not one.locks_first(1)
    lazy: Any = SimpleNamespace(connection=None)
    with pytest.raises(Conflict):
        one.handle(lazy, [numbered(1)], Look())
    assert one.locks_first(1)
    now[0] += LOCKING_SECONDS - 1
    assert one.locks_first(1)
    now[0] += 1
    assert not one.locks_first(1)


def test_a_reaction_with_an_outside_step_gets_its_answer_and_none_without_one() -> None:
    got: list[Any] = []
    reactions = Reactions()

    def when_asked_keep_the_answer(message: Asked, _: Any, answer: Any) -> None:
        got.append((message.number, answer))

    reactions.to(Asked, outside=lambda *_: "")(when_asked_keep_the_answer)
    one = Reactor(reactions, announcements)
    transaction: Any = NotedTransaction()
    answered, unasked, left_out = (numbered(number, Asked) for number in (1, 2, 3))
    answered.answer, unasked.answer = "yes", None
    one.react(transaction, one.pairs([answered, unasked]), False)
    assert got == [(1, "yes"), (2, None)]
    with pytest.raises(NoAnswer):
        one.react(transaction, one.pairs([left_out]), False)
    assert len(got) == 2


def test_what_messages_share_is_looked_for_with_all_else_and_what_memory_has_of_it_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[list[UUID], set[UUID]]] = []

    def looked(
        _: Any, __: Sequence[Received], ids: Sequence[UUID], cached: Mapping[UUID, Any], ___: AggregateCache
    ) -> Look:
        asked.append((list(ids), set(cached)))
        return Look()

    monkeypatch.setattr(reactor, "look", looked)
    cache, histories = AggregateCache(), [remembered(id_) for id_ in SHARED[:1]]
    cache.keep(histories)
    connection: Any = None
    locking(2).look(connection, [numbered(1)], cache)
    assert asked == [(SHARED[:2], set(SHARED[:1]))]
    assert cache.take(SHARED[:1]) == {}, "a reaction may change it, and it comes back after the commit alone"


def remembered(id_: UUID) -> Any:
    return SimpleNamespace(aggregate=SimpleNamespace(id=id_, pending_events=[]))
