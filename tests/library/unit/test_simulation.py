"""The product's decisions between models of its servers: what must hold does, and what is broken is found."""

import time

import pytest

from tests.simulation.breaks import BREAKS
from tests.simulation.run import run
from tests.simulation.search import KINDS, RELAYS, Kind, search, shrunk

pytestmark = pytest.mark.usefixtures("in_simulation")
SAMPLE_SECONDS = 0.3
WITHIN = 60
"""Schedules, from a seed near the first that finds the fault; tests/chaos searches from seed 0 on."""


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_sample_of_schedules_loses_nothing_and_keeps_each_key_in_order(kind: Kind) -> None:
    end = time.process_time() + SAMPLE_SECONDS
    ran, found = search(kind, 0, 10_000, until=lambda: time.process_time() > end)
    assert not found, found
    assert ran > 20


@pytest.mark.parametrize("what", BREAKS)
def test_what_is_broken_on_purpose_is_found(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    BREAKS[what].break_it(monkeypatch)
    ran, found = search(BREAKS[what].kind, BREAKS[what].first, WITHIN)
    assert found, f"nothing found by {ran} schedules"


def test_a_schedule_that_fails_is_shortened_and_fails_again_in_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    BREAKS["what the broker refused counts as confirmed"].break_it(monkeypatch)
    _, found = search(RELAYS, 0, WITHIN)
    assert found
    short = shrunk(found)
    assert len(short.steps) < 15
    assert RELAYS.violation(short.steps, short.seed) == short.violation
    assert f"SEED={found.seed}" in str(short)


def test_the_same_seed_is_the_same_run() -> None:
    one, other = (run(RELAYS.schedule(5), 5) for _ in range(2))
    assert [str(row.message) for row in one.outbox] == [str(row.message) for row in other.outbox]
    assert {name: queue.messages for name, queue in one.broker.queues.items()} == {
        name: queue.messages for name, queue in other.broker.queues.items()
    }
    assert one.world.now == other.world.now
