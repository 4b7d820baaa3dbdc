"""A seeding is killed at every step, one after the other, of a group that is new and of one that hears already."""

import pytest

from ordersaga.seeding import seeding as library
from ordersaga.seeding.progress import SeedingProgress
from tests.library import test_seeding as seeding
from tests.library.seeded import Seeded, late
from tests.library.test_seeding import shop

__all__ = ["shop"]

BINDINGS = 3 * 16
"""To one exchange: three contracts, 16 partitions."""
KILLS = [
    ("begin", 1),
    ("queue_bind", 1),
    ("queue_bind", BINDINGS - 5),
    ("_write", 1),
    ("_write", 2),
    ("hear", 1),
    ("queue_bind", BINDINGS + 1),
    ("queue_bind", 2 * BINDINGS - 1),
    ("unmark", 1),
    ("complete", 1),
]


def test_a_seeding_killed_at_every_step_is_completed_by_the_next(shop: Seeded) -> None:
    seeding.check_killed(shop, KILLS)


@pytest.mark.parametrize("kill", [("take_away", 1), ("queue_unbind", 1), ("queue_unbind", 20)])
def test_a_group_that_hears_already_is_seeded_although_the_seeding_was_killed(
    shop: Seeded, kill: tuple[str, int]
) -> None:
    shop.ask(5)
    shop.broker.declare(late.consumer_group(2))
    seeding.check_killed(shop, [kill, *KILLS[3:5]])


def test_a_last_window_that_takes_too_long_lets_the_relays_go_on_and_is_tried_again(
    shop: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def show(progress: SeedingProgress) -> None:
        tried.append(progress.step)
        monkeypatch.setattr(library, "MAX_PAUSE_SECONDS", 60 if tried.count("bind") > 2 else 0)

    shop.ask(5)
    with shop.relays():
        shop.seeding(progress=SeedingProgress(show=show)).run()
        shop.ask()
        shop.await_published()
    assert tried.count("bind") >= 3
    seeding.assert_late_equals_early(shop)


@pytest.mark.parametrize("number", range(5))
def test_under_load_a_late_group_equals_one_that_was_there_from_the_beginning(shop: Seeded, number: int) -> None:
    shop.ask(20 * number)
    with shop.relays():
        with shop.traffic(pause=0):
            shop.seeding(max_ready=10_000).run()
        shop.await_published()
    seeding.assert_late_equals_early(shop)
