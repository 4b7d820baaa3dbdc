"""Workers share queues at full load, for longer and with more queues than `make test` tries."""

import pytest

from tests.library import test_sharing_queues as sharing
from tests.support.workers import Counting


@pytest.mark.parametrize("queues", [4, 16])
def test_workers_that_come_and_go_share_the_queues_at_full_load(counting: Counting, queues: int) -> None:
    sharing.check_that_workers_share_queues(counting, queues, workers=4, pause=0)


def test_queues_change_hands_again_and_again_at_full_load(counting: Counting) -> None:
    sharing.check_that_queues_change_hands(counting, rounds=10, pause=0)


def test_order_per_key_is_kept_while_many_workers_are_killed(counting: Counting) -> None:
    sharing.check_that_order_is_kept(counting, 6000)
