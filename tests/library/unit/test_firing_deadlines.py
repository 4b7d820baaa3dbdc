"""Deadlines are taken together, one by one after a failure, and each is postponed that fails alone; without servers."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, Self
from uuid import UUID, uuid4

import pytest
from psycopg.errors import LockNotAvailable

from ordersaga.consumer import deadlines
from ordersaga.consumer.deadlines import BATCH, IDLE_SECONDS, POSTPONED, Deadlines, Due
from ordersaga.envelope.message import Cause
from ordersaga.inbox.reactions import Reactions
from ordersaga.runtime import telemetry
from ordersaga.runtime.errors import Unavailable
from tests.support.counting import announcements

OF_THE_SPAN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@dataclass
class DueRows:
    """The rows that are due; a rollback leaves them."""

    rows: list[Due] = field(default_factory=list)
    limits: list[int] = field(default_factory=list)
    postponed: list[UUID] = field(default_factory=list)
    loaded: list[list[UUID]] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)
    reacted: list[UUID] = field(default_factory=list)
    begun: int = 0
    error: Callable[[UUID], Exception | None] = lambda _: None
    closed: bool = False

    def execute(self, statement: str, parameters: Any) -> Any:
        """The question whether any is due, or a postponement."""
        if statement == deadlines.IS_ANY_DUE:
            return SimpleNamespace(fetchone=lambda: (bool(self.rows),))
        assert statement == deadlines.POSTPONE
        pause, _, id_ = parameters
        assert pause == POSTPONED
        self.postponed.append(id_)
        self.rows = [row for row in self.rows if row.aggregate_id != id_]
        return None

    def take(self, _: Any, names: list[str], limit: int) -> list[Due]:
        assert names == ["closing"]
        self.limits.append(limit)
        return self.rows[:limit]

    def fill(self, number: int) -> list[UUID]:
        self.rows = [Due("closing", uuid4(), uuid4(), None, "", "") for _ in range(number)]
        return [row.aggregate_id for row in self.rows]


class DeletingTransaction:
    """A transaction that deletes what was reacted to when it ends without an error."""

    def __init__(self, connection: DueRows, ring: object) -> None:
        self.connection = connection
        self.work: list[Callable[[], None]] = []
        self.before = len(connection.reacted)

    def begin(self) -> None:
        self.connection.begun += 1

    def after_commit(self, work: Callable[[], None]) -> None:
        self.work.append(work)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        done = self.connection.reacted[self.before :]
        if kind:
            del self.connection.reacted[self.before :]
            return
        self.connection.rows = [row for row in self.connection.rows if row.aggregate_id not in done]
        for work in self.work:
            work()


class NotedUnitOfWork:
    """The unit of work of a batch of deadlines."""

    def __init__(self, connection: DueRows, announcements: object, cause: Cause, lazy: object) -> None:
        self.connection = connection
        self.cause = cause

    def load(self, ids: Iterable[UUID]) -> None:
        self.connection.loaded.append(list(ids))

    def flush(self) -> None:
        pass


@pytest.fixture
def due(monkeypatch: pytest.MonkeyPatch) -> DueRows:
    due = DueRows()
    monkeypatch.setattr(deadlines, "take", due.take)
    monkeypatch.setattr(deadlines, "LazyTransaction", DeletingTransaction)
    monkeypatch.setattr(deadlines, "Transaction", NotedUnitOfWork)
    return due


@pytest.fixture
def fired(due: DueRows) -> Deadlines:
    reactions = Reactions()

    @reactions.to_deadline("closing")
    def when_closing_note_it(id_: UUID, transaction: Any) -> None:
        if error := due.error(id_):
            raise error
        due.causes.append(transaction.cause)
        due.reacted.append(id_)

    return Deadlines(reactions, announcements)


def step(fired: Deadlines, due: DueRows) -> float:
    connection: Any = due
    return fired.step(connection)


def test_while_nothing_is_due_no_transaction_begins(fired: Deadlines, due: DueRows) -> None:
    assert step(fired, due) == IDLE_SECONDS
    assert (due.begun, due.limits) == (0, [])


def test_a_whole_batch_is_followed_by_the_next_at_once_and_a_smaller_one_by_a_pause(
    fired: Deadlines, due: DueRows
) -> None:
    ids = due.fill(BATCH + 1)
    assert step(fired, due) == 0
    assert step(fired, due) == IDLE_SECONDS
    assert due.reacted == ids
    assert (due.begun, due.limits) == (2, [BATCH, BATCH])


def test_aggregates_of_all_deadlines_are_loaded_together(fired: Deadlines, due: DueRows) -> None:
    ids = due.fill(3)
    step(fired, due)
    assert due.loaded == [ids]


def test_after_a_failure_each_is_alone_what_fails_again_is_postponed_and_the_next_are_taken_together(
    fired: Deadlines, due: DueRows
) -> None:
    ids = due.fill(3)
    due.error = lambda id_: ValueError("no") if id_ == ids[1] else None
    assert step(fired, due) == IDLE_SECONDS
    assert due.limits == [BATCH, 1, 1, 1]
    assert (due.postponed, due.reacted) == ([ids[1]], [ids[0], ids[2]])
    due.limits.clear()
    due.fill(2)
    step(fired, due)
    assert due.limits == [BATCH]


def test_an_outage_amid_a_single_deadline_postpones_nothing(fired: Deadlines, due: DueRows) -> None:
    due.fill(1)
    errors = [ValueError("no"), Unavailable("away")]
    due.error = lambda _: errors.pop(0)
    with pytest.raises(Unavailable):
        step(fired, due)
    assert (due.postponed, len(due.rows)) == ([], 1)


def test_an_error_before_any_deadline_is_taken_is_raised_as_it_is(
    fired: Deadlines, due: DueRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> list[Due]:
        raise ValueError("no such column")

    due.fill(1)
    monkeypatch.setattr(deadlines, "take", fail)
    with pytest.raises(ValueError, match="no such column"):
        step(fired, due)
    assert due.postponed == []


def test_what_a_deadline_causes_is_caused_by_its_span_which_ends_after_the_commit(
    fired: Deadlines, due: DueRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[int] = []
    span = SimpleNamespace(
        cause=lambda cause: replace(cause, traceparent=OF_THE_SPAN), end=lambda: ended.append(len(due.rows))
    )
    monkeypatch.setattr(telemetry, "tracing", SimpleNamespace(deadline=lambda cause, name: span))
    due.fill(2)
    step(fired, due)
    assert [cause.traceparent for cause in due.causes] == [OF_THE_SPAN] * 2
    assert ended == [0, 0]


@pytest.mark.parametrize("asked", [1, 2], ids=["together", "one by one"])
def test_no_deadline_is_postponed_while_somebody_holds_a_whole_table(
    due: DueRows, fired: Deadlines, monkeypatch: pytest.MonkeyPatch, asked: int
) -> None:
    questions = iter(range(1, 3))

    def refuse(connection: object, error: Exception) -> None:
        if next(questions) == asked:
            raise Unavailable from error

    monkeypatch.setattr(deadlines, "refuse_locked_tables", refuse)
    due.fill(1)
    due.error = lambda _: LockNotAvailable()
    with pytest.raises(Unavailable):
        fired.step(due)  # type: ignore[arg-type]
    assert due.postponed == []
