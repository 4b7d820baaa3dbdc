"""AggregateCache: aggregates that one thread has used last, so that the next use reads only the events since."""

from collections import OrderedDict
from collections.abc import Iterable
from uuid import UUID

from ordersaga.store.aggregates import History

MAX_AGGREGATES = 10_000
"""The most aggregates in the memory of a worker."""


class AggregateCache:
    """The aggregates that were used last, in the state that their last commit has stored.

    A reaction takes an aggregate out and changes it. It puts the aggregate back after the commit alone, so that a
    rollback leaves nothing here. A cache belongs to one thread.
    """

    def __init__(self, most: int = MAX_AGGREGATES) -> None:
        self._most = most
        self._histories: OrderedDict[UUID, History] = OrderedDict()

    def take(self, ids: Iterable[UUID]) -> dict[UUID, History]:
        """Those of these ids that are here; they no longer are."""
        found = {id_: self._histories.pop(id_, None) for id_ in ids} if self._histories else {}
        return {id_: history for id_, history in found.items() if history}

    def keep(self, histories: Iterable[History]) -> None:
        """Put aggregates back after a commit; the ones unused for longest go. One with events that nobody saved is not
        in a state that is stored, and is dropped."""
        if not self._most:
            return
        for history in histories:
            if not history.aggregate.pending_events:
                self._histories[history.aggregate.id] = history
        while len(self._histories) > self._most:
            self._histories.popitem(last=False)


NO_CACHE = AggregateCache(0)
"""Keeps nothing, so threads may share it."""
