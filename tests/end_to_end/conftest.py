"""One whole stack for all end-to-end tests."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.state import ROOT
from tests.shop.support import schemas
from tests.shop.support.whole_stack import WholeStack, whole_stack
from tests.support.collector import Collector, collector

__all__ = ["schemas"]


@pytest.fixture(scope="package")
def traces() -> Iterator[Collector]:
    """What the stack has recorded."""
    with collector() as found:
        yield found


@pytest.fixture(scope="package")
def stack(traces: Collector) -> Iterator[WholeStack]:
    """With products on the price list and on the shelves; it records the traces that a request asks for."""
    directory = Path(tempfile.mkdtemp(prefix="ordersaga-end-to-end-"))
    recording = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": traces.url,
        "OTEL_TRACES_SAMPLER": "parentbased_always_off",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    settings = {"STRIPE_TIMEOUT_SECONDS": "1", "ORDER_DEADLINE_SECONDS": "60"}
    try:
        with whole_stack(directory / "state", ROOT, **settings, **recording) as stack:
            shop = stack.shop()
            for sku in ("tea", "cup"):
                shop.price(sku, sku.title(), 350)
                shop.receive(sku, 100_000)
            yield stack
    finally:
        shutil.rmtree(directory, ignore_errors=True)
