"""Counters that raise an alert by their increase."""

from typing import cast

import pytest
from prometheus_client import REGISTRY

from ordersaga.consumer.receiver import Receiver
from ordersaga.inbox.handler import Handler


@pytest.mark.parametrize("what", ["forked", "parked", "redelivered", "deduplicated"])
def test_what_a_group_counts_is_zero_before_the_first_so_that_the_first_is_an_increase(what: str) -> None:
    Receiver("a group that has received nothing", cast(Handler, None))
    labels = {"group": "a group that has received nothing"}
    assert REGISTRY.get_sample_value(f"ordersaga_messages_{what}_total", labels) == 0
