"""Schedules between models of the servers, for mutants of what the product does in processes of its own elsewhere."""

import pytest

from tests.simulation.search import KINDS, Kind, search

pytestmark = pytest.mark.usefixtures("in_simulation")
SCHEDULES = {"relays": 400, "stops": 200, "consumers": 150}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_schedules_lose_nothing_and_keep_each_key_in_order(kind: Kind) -> None:
    ran, found = search(kind, 0, SCHEDULES[kind.name])
    assert not found, found
    assert ran == SCHEDULES[kind.name]
