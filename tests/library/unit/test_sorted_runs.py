"""Sorting what does not fit into memory, with few files."""

import os
import random
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ordersaga.reconcile import sorted_runs
from ordersaga.reconcile.sorted_runs import SortedRuns


@contextmanager
def few_files(number: int) -> Iterator[None]:
    """Hardly more than so many can be opened."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    os.close(free := os.dup(0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + number, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("number", [0, 1, 3, 4, 11, 12, 13, 36, 1000])
def test_items_come_out_sorted_with_few_files_however_many_they_are(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sorted_runs, "RUN", 3)
    monkeypatch.setattr(sorted_runs, "RUNS_PER_LEVEL", 4)
    items = [(random.randrange(100), position) for position in range(number)]
    with few_files(50), SortedRuns(items) as found:
        assert list(found) == sorted(items)
