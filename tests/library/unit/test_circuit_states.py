"""A circuit breaker opens after failed calls in a row, tries one call at a time, and closes with the first answer."""

from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from types import SimpleNamespace

import psycopg
import pytest

from ordersaga.inbox import circuit
from ordersaga.inbox.circuit import HALF_OPEN, MAX_FAILURES, OPEN, OPEN_SINCE, PROBE_SECONDS, Circuit
from ordersaga.runtime.errors import CircuitOpen, ResourceUnavailable

SILENT = ResourceUnavailable("no answer")
Pass = Callable[[float], None]


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Pass:
    """Lets so many seconds pass; no other time does."""
    now = 1000.0

    def pass_(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(circuit, "time", SimpleNamespace(monotonic=lambda: now))
    return pass_


def end(tested: Circuit, error: Exception | None) -> None:
    """One call, which ends with this error or an answer."""
    if error is None:
        with tested.call():
            return
    with pytest.raises(type(error)), tested.call():
        raise error


def opened(name: str = "till") -> Circuit:
    tested = Circuit(name)
    for _ in range(MAX_FAILURES):
        assert not tested.refuses
        end(tested, SILENT)
    return tested


def shown(tested: Circuit) -> tuple[float, float]:
    """Whether the metrics say open, and half open."""
    labels = tested.resource, tested.operation
    return OPEN.labels(*labels)._value.get(), HALF_OPEN.labels(*labels)._value.get()


def assert_refused(tested: Circuit) -> None:
    with pytest.raises(CircuitOpen, match=r"the till does not answer since .*: no answer"), tested.call():
        pass


def test_an_open_circuit_is_tried_once_after_each_pause_and_closed_by_an_answer(passes: Pass) -> None:
    tested = opened()
    for _ in range(2):
        assert shown(tested) == (1, 0)
        passes(PROBE_SECONDS - 0.001)
        assert_refused(tested)
        passes(0.001)
        probe = ExitStack()
        probe.enter_context(tested.call())
        assert shown(tested) == (1, 1)
        passes(9 * PROBE_SECONDS)
        assert_refused(tested)
        with pytest.raises(ResourceUnavailable), probe:
            raise SILENT
    passes(PROBE_SECONDS)
    end(tested, None)
    assert (shown(tested), tested.problem) == ((0, 0), "")
    for _ in range(MAX_FAILURES):
        end(tested, SILENT)
    assert_refused(tested)


@pytest.mark.parametrize("answer", [None, ValueError("declined")], ids=["an answer", "a refusal"])
def test_only_failures_in_a_row_open_it(answer: Exception | None, passes: Pass) -> None:
    tested = Circuit("till")
    assert shown(tested) == (0, 0)
    for _ in range(3):
        for _ in range(MAX_FAILURES - 1):
            end(tested, SILENT)
        end(tested, answer)
    assert shown(tested) == (0, 0)


def test_a_database_that_is_away_says_nothing_about_the_resource(passes: Pass) -> None:
    away = psycopg.OperationalError("the database is away")
    tested = Circuit("till")
    for _ in range(MAX_FAILURES - 1):
        end(tested, SILENT)
        end(tested, away)
    end(tested, SILENT)
    assert_refused(tested)
    passes(PROBE_SECONDS)
    end(tested, away)
    assert (shown(tested), tested.refuses) == ((1, 0), False)
    end(tested, None)
    assert shown(tested) == (0, 0)


def test_a_call_that_ends_late_leaves_it_half_open_while_another_is_tried(passes: Pass) -> None:
    tested, late = Circuit("till"), ExitStack()
    late.enter_context(tested.call())
    for _ in range(MAX_FAILURES):
        end(tested, SILENT)
    passes(PROBE_SECONDS)
    with tested.call():
        with pytest.raises(ResourceUnavailable), late:
            raise SILENT
        assert shown(tested) == (1, 1)
    assert shown(tested) == (0, 0)


def test_it_is_open_since_its_first_failure(passes: Pass) -> None:
    made = Circuit("till")
    before = datetime.now(UTC).timestamp()
    end(made, SILENT)
    after = datetime.now(UTC).timestamp()
    for _ in range(MAX_FAILURES):
        end(made, SILENT) if not made.refuses else assert_refused(made)
    assert before <= OPEN_SINCE.labels("till", "call")._value.get() <= after
    assert "(operation call)" in made.problem


def test_a_second_circuit_of_the_name_begins_closed(passes: Pass) -> None:
    opened()
    assert shown(Circuit("till")) == (0, 0)
