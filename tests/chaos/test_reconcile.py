"""reconcile over more events than fit into what it may hold at once."""

from tests.shop.support.reconciled_shop import Shop
from tests.shop.test_reconcile import empty_shop, peak_of_comparing

__all__ = ["empty_shop"]


def test_fifty_thousand_events_are_compared_in_bounded_memory(empty_shop: Shop) -> None:
    """One sorted run of them and what streams by peak at 10 MB; sorted in memory as a whole they take 22 MB."""
    assert peak_of_comparing(empty_shop, batches=50) < 14_000_000
