"""Whatever happens to the running stack, in any order: afterwards the books balance and reconcile finds nothing."""

import pytest

from tests.shop.support.stack_machine import play
from tests.shop.support.whole_stack import WholeStack


@pytest.mark.timeout(400)
def test_after_any_sequence_of_mishaps_the_books_balance_and_reconcile_is_clean(stack: WholeStack) -> None:
    play(stack, examples=2, steps=12)
