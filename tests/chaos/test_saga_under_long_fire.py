"""The same game with the whole stack as tests/end_to_end/test_saga_under_fire.py, for much longer."""

import shutil
import tempfile
from pathlib import Path

from tests.shop.support.stack_machine import play
from tests.shop.support.whole_stack import whole_stack


def test_after_hundreds_of_mishaps_the_books_balance_and_reconcile_is_clean() -> None:
    directory = Path(tempfile.mkdtemp(prefix="ordersaga-chaos-"))
    try:
        with whole_stack(directory / "state", STRIPE_TIMEOUT_SECONDS="1") as stack:
            play(stack, examples=20, steps=30)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
