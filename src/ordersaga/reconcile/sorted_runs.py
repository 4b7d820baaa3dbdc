"""SortedRuns: sorts more than memory holds, in temporary files that are merged while they are read."""

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
RUNS_PER_LEVEL = 100
"""This number of runs is merged into one of the next level: at most some two hundred files are open; `ulimit -n` is
often 1,024."""


class SortedRuns:
    """Yields the items sorted; the files are deleted at the end of the block."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._items = iter(items)
        self._levels: list[list[BinaryIO]] = []

    def __enter__(self) -> Iterator[Any]:
        while run := sorted(islice(self._items, RUN)):
            self._add(run, 0)
        return merge(*map(read, chain(*self._levels)))

    def _add(self, run: Iterable[Any], level: int) -> None:
        """Write a run; a full level is merged into a run of the next, so that an item is written a few times."""
        if level == len(self._levels):
            self._levels.append([])
        files = self._levels[level]
        files.append(file := TemporaryFile(prefix="ordersaga-reconcile-"))  # noqa: SIM115 - closed by close()
        for item in run:
            pickle.dump(item, file, pickle.HIGHEST_PROTOCOL)
        if len(files) == RUNS_PER_LEVEL:
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
