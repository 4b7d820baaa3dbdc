"""Sorting more than fits into memory: sorted runs in temporary files, merged while they are read."""

import pickle
from collections.abc import Iterable, Iterator
from contextlib import suppress
from heapq import merge
from itertools import chain, islice
from tempfile import TemporaryFile
from typing import Any, BinaryIO, TypeVar

Item = TypeVar("Item", bound=tuple[Any, ...])
RUN = 10_000
"""Items held at once, some 5 MB."""
TOGETHER = 100
"""Runs that become one of a million items, a hundred of which become one again: so some two hundred files are open at
most, where `ulimit -n` is often 1,024."""


class SortedRuns:
    """The items come out in order and once; the files go when the block is left."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._items = iter(items)
        self._levels: list[list[BinaryIO]] = []

    def __enter__(self) -> Iterator[Any]:
        while run := sorted(islice(self._items, RUN)):
            self._add(run, 0)
        return merge(*map(read, chain(*self._levels)))

    def _add(self, run: Iterable[Any], level: int) -> None:
        """When a level is full, its runs become one of the next: so no item is written often."""
        if level == len(self._levels):
            self._levels.append([])
        files = self._levels[level]
        files.append(file := TemporaryFile(prefix="ordersaga-reconcile-"))  # noqa: SIM115 - closed by close()
        for item in run:
            pickle.dump(item, file, pickle.HIGHEST_PROTOCOL)
        if len(files) == TOGETHER:
            self._add(merge(*map(read, files)), level + 1)
            close(files)

    def __exit__(self, *_: object) -> None:
        for files in self._levels:
            close(files)


def read(file: BinaryIO) -> Iterator[Any]:
    file.seek(0)
    with suppress(EOFError):
        while True:
            yield pickle.load(file)


def close(files: list[BinaryIO]) -> None:
    while files:
        files.pop().close()
