"""Sorting more than fits into memory: sorted runs in temporary files, merged while they are read."""

import pickle
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from heapq import merge
from itertools import islice
from tempfile import TemporaryFile
from typing import Any, BinaryIO, TypeVar

Item = TypeVar("Item", bound=tuple[Any, ...])
RUN = 10_000
"""Items held at once, some 5 MB; a million make a hundred files."""


class SortedRuns:
    """The items come out in order and once; the files go when the block is left."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._items = iter(items)
        self._files = ExitStack()

    def __enter__(self) -> Iterator[Any]:
        runs = []
        while run := sorted(islice(self._items, RUN)):
            file = self._files.enter_context(TemporaryFile(prefix="ordersaga-reconcile-"))
            for item in run:
                pickle.dump(item, file, pickle.HIGHEST_PROTOCOL)
            file.seek(0)
            runs.append(read(file, len(run)))
        return merge(*runs)

    def __exit__(self, *_: object) -> None:
        self._files.close()


def read(file: BinaryIO, number: int) -> Iterator[Any]:
    for _ in range(number):
        yield pickle.load(file)
