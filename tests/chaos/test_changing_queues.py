"""The number of queues changes, and the change is killed, more often than `make test` tries."""

import pytest

from tests.library import test_changing_queues as changing
from tests.library.test_changing_queues import Road, road

__all__ = ["road"]


def test_the_number_of_queues_changes_to_every_number_under_load(road: Road) -> None:
    changing.check_changes_under_load(road, (8, 4, 1, 16, 2))


@pytest.mark.parametrize(("before", "after", "kills"), [
    (2, 4, [("close_gates", 1), ("queue_declare", 5), ("queue_bind", 30), ("queue_unbind", 1), ("queue_unbind", 11)]),
    (4, 2, [("queue_bind", 30), ("queue_unbind", 11), ("queue_delete", 1), ("queue_delete", 2)]),
])  # fmt: skip
def test_a_change_that_is_killed_at_every_step_loses_nothing(
    road: Road, before: int, after: int, kills: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    changing.check_killed_changes(road, before, after, kills, monkeypatch)


def test_the_topology_step_after_a_change_that_was_interrupted_while_it_bound_lets_nothing_overtake(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    changing.check_topology_step(road, "queue_bind", 10, monkeypatch)
