"""One whole stack for all end-to-end tests."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shop.support import schemas
from tests.shop.support.whole_stack import WholeStack, whole_stack

__all__ = ["schemas"]


@pytest.fixture(scope="package")
def stack() -> Iterator[WholeStack]:
    """With products on the price list and on the shelves."""
    directory = Path(tempfile.mkdtemp(prefix="ordersaga-end-to-end-"))
    try:
        with whole_stack(directory / "state", STRIPE_TIMEOUT_SECONDS="1", ORDER_DEADLINE_SECONDS="60") as stack:
            shop = stack.shop()
            for sku in ("tea", "cup"):
                shop.price(sku, sku.title(), 350)
                shop.receive(sku, 100_000)
            yield stack
    finally:
        shutil.rmtree(directory, ignore_errors=True)
