"""A seeding is killed at every step, one after the other, of a group that is new and of one that is bound already."""

from unittest.mock import patch

import psycopg
import pytest
from pika.adapters.blocking_connection import BlockingConnection

from ordersaga.broker import seeding as bindings
from ordersaga.broker.pause_locks import ChangeFailed
from ordersaga.broker.topology import Group
from ordersaga.seeding import seeding as library
from ordersaga.seeding.progress import SeedingProgress
from tests.library import test_seeding as seeding
from tests.library.seeded import Seeded
from tests.library.seeded_services import ASKING, late
from tests.library.test_seeding import shop

__all__ = ["shop"]

LOSE = "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'seed %'"
BINDINGS = 3 * 16
"""To one exchange: three contracts, 16 partitions."""
KILLS = [
    ("begin", 1),
    ("queue_bind", 1),
    ("queue_bind", BINDINGS - 5),
    ("_write", 1),
    ("_write", 2),
    ("bind_to_events", 1),
    ("queue_bind", BINDINGS + 1),
    ("queue_bind", 2 * BINDINGS - 1),
    ("unmark", 1),
    ("complete", 1),
]


def test_a_seeding_killed_at_every_step_is_completed_by_the_next(shop: Seeded) -> None:
    seeding.check_killed(shop, KILLS)


@pytest.mark.parametrize("kill", [("unbind_and_empty", 1), ("queue_unbind", 1), ("queue_unbind", 20)])
def test_a_group_that_is_bound_already_is_seeded_although_the_seeding_was_killed(
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


def test_a_seeding_that_was_frozen_until_its_locks_were_lost_fails_and_is_completed_by_the_next(shop: Seeded) -> None:
    """Relays have published meanwhile what the group did not receive."""
    bind_to_events = bindings.bind_to_events

    def freeze(broker: BlockingConnection, group: Group) -> None:
        with psycopg.connect(shop.databases[ASKING].owner_url) as connection:
            connection.execute(LOSE)
        shop.ask()
        shop.await_published()
        bind_to_events(broker, group)

    shop.ask(5)
    with shop.relays():
        with (
            patch.object(bindings, "bind_to_events", freeze),
            pytest.raises(ChangeFailed, match="session in the database of"),
        ):
            shop.seeding().run()
        assert shop.is_marked()
        before = shop.heard_by(late)
        shop.seeding().run()
        shop.ask()
        shop.await_published()
    seeding.assert_late_equals_early(shop, before)


@pytest.mark.parametrize("number", range(5))
def test_under_load_a_late_group_equals_one_that_was_there_from_the_beginning(shop: Seeded, number: int) -> None:
    shop.ask(20 * number)
    with shop.relays():
        with shop.traffic(pause=0):
            shop.seeding(max_ready=10_000).run()
        shop.await_published()
    seeding.assert_late_equals_early(shop)
