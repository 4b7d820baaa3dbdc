"""A resource that does not answer is called once at a time."""

from contextlib import ExitStack

import pytest

from ordersaga.inbox import circuit
from ordersaga.inbox.circuit import MAX_FAILURES, Circuit
from ordersaga.runtime.errors import CircuitOpen, ResourceUnavailable


def fail(tested: Circuit) -> None:
    with pytest.raises(ResourceUnavailable, match="no answer"), tested.call():
        raise ResourceUnavailable("no answer")


def test_a_call_that_fails_late_lets_no_second_one_through_beside_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(circuit, "PROBE_SECONDS", 0.0)
    tested, late = Circuit("test machine"), ExitStack()
    late.enter_context(tested.call())
    for _ in range(MAX_FAILURES):
        fail(tested)
    with tested.call():
        with pytest.raises(ResourceUnavailable, match="too late"), late:
            raise ResourceUnavailable("too late")
        with pytest.raises(CircuitOpen), tested.call():
            pass
    assert tested.problem == ""
    with tested.call():
        pass
