"""Long searches in the simulation, and hundreds of its schedules on real servers."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.simulation import postgres, relay_statements
from tests.simulation.breaks import BREAKS
from tests.simulation.broker import Broker
from tests.simulation.paired_broker import RealTopology
from tests.simulation.paired_postgres import Differs
from tests.simulation.pairs import run_paired
from tests.simulation.search import KINDS, Kind, search
from tests.support.broker import TestBroker
from tests.support.databases import Database, Databases

pytestmark = pytest.mark.usefixtures("in_simulation")
SEARCH_SECONDS = 120.0
"""Of CPU."""
WITHIN = 3000
PAIRS = 200
STEPS = 40


@pytest.fixture
def outbox(database: Databases) -> Database:
    return database()


@pytest.fixture
def topology(broker: TestBroker) -> Iterator[RealTopology]:
    with closing(RealTopology(broker)) as topology:
        yield topology


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_no_schedule_of_two_minutes_violates_anything(kind: Kind) -> None:
    end, first = time.process_time() + SEARCH_SECONDS, random.randrange(10**9)
    ran, found = search(kind, first, 10**7, until=lambda: time.process_time() > end)
    print(f"{ran} schedules from seed {first} on")  # noqa: T201
    assert not found, found


@pytest.mark.parametrize("what", BREAKS)
def test_what_is_broken_on_purpose_is_found_from_any_seed_on(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    BREAKS[what].break_it(monkeypatch)
    ran, found = search(BREAKS[what].kind, 0, WITHIN)
    assert found
    print(f"{what}: found by schedule {ran}")  # noqa: T201


@pytest.mark.timeout(1200)
def test_hundreds_of_schedules_have_the_same_answers_from_the_models_and_from_the_servers(
    outbox: Database, topology: RealTopology
) -> None:
    first = random.randrange(10**9)
    compared = run_many(range(first, first + PAIRS), outbox, topology)
    print(f"{PAIRS} schedules from seed {first} on, {compared} answers compared")  # noqa: T201
    assert compared > 20 * PAIRS


def run_many(seeds: range, outbox: Database, topology: RealTopology) -> int:
    """Returns how many answers were compared."""
    return sum(run_paired(seed, STEPS, outbox, topology) for seed in seeds)


def _blind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres.Snapshot, "sees", lambda self, xid: xid < self.xmax)


def _reuses_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    end = postgres.Backend.end

    def give_back(self: postgres.Backend, commits: bool) -> None:
        own = sum(version.xmin == self.transaction.xid for version in self.postgres.tables.get("outbox", ()))
        end(self, commits)
        if not commits and own:
            self.postgres.sequences["outbox"] -= own

    monkeypatch.setattr(postgres.Backend, "end", give_back)


def _sees_rolled_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres.Postgres, "is_committed", lambda self, xid: xid not in self.running)


def _newest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_statements, "page_of", lambda rows, _: [(r.position, r.size, *r.columns) for r in rows])


def _takes_what_nobody_is_bound_for(monkeypatch: pytest.MonkeyPatch) -> None:
    init = Broker.__init__

    def bound(self: Broker, groups: Any, unbound: Any = ()) -> None:
        init(self, groups)

    monkeypatch.setattr(Broker, "__init__", bound)


WRONG_MODELS = {
    "a snapshot sees what was open": _blind,
    "a rolled-back number comes again": _reuses_numbers,
    "rolled-back rows are visible": _sees_rolled_back,
    "a page has no budget": _newest_first,
    "an unbound message is taken": _takes_what_nobody_is_bound_for,
}


@pytest.mark.parametrize("what", WRONG_MODELS)
def test_a_wrong_model_differs_from_the_servers(
    what: str, outbox: Database, topology: RealTopology, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_wrong: Callable[[pytest.MonkeyPatch], None] = WRONG_MODELS[what]
    make_wrong(monkeypatch)
    with pytest.raises(Differs):
        run_many(range(60), outbox, topology)
