"""Many more forgeries than tests/end_to_end/test_under_forgery.py sends, in every order that the seeds make."""

import random
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.shop.support.forgeries import named_cases, random_forgeries
from tests.shop.support.under_forgery import attack
from tests.shop.support.whole_stack import whole_stack

FORGERIES = 600


@pytest.mark.parametrize("run", [1, 2])
def test_after_hundreds_of_forgeries_everything_is_named_and_nobody_is_hurt(run: int) -> None:
    seed = random.SystemRandom().randrange(10**6)
    directory = Path(tempfile.mkdtemp(prefix="ordersaga-chaos-"))
    forgeries = [*named_cases(), *random_forgeries(seed, FORGERIES)]
    random.Random(seed).shuffle(forgeries)
    try:
        with (
            whole_stack(directory / "state", STRIPE_TIMEOUT_SECONDS="1") as stack,
            attack(stack, forgeries) as attacked,
        ):
            assert attacked.faults() == {}, f"seed {seed}"
            assert attacked.left_after_decisions() == {}, f"seed {seed}"
            assert attacked.lost_refunds() == [], f"seed {seed}"
            assert attacked.ended_or_not_ready() == [], f"seed {seed}"
    finally:
        shutil.rmtree(directory, ignore_errors=True)
