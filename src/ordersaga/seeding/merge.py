"""CausalMerge: the messages of several services in one sequence, in which none comes before the one that caused it."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from ordersaga.seeding.history import Dated, MessageHistory

SKEW = timedelta(seconds=1)
"""How far the clocks of the databases may differ. A cause is recorded before its effect, but may have the later time
when clocks differ; so the cause of a message is looked for among messages that are later by up to this time."""
MAX_AHEAD = 20_000
"""Messages of one service that are held, however many were recorded within SKEW."""


def do_nothing() -> None:
    """What happens between two pages by default."""


class CausalMerge:
    """Each service's messages stay in its own order; among services the time decides, unless a cause comes later."""

    def __init__(self, histories: Sequence[MessageHistory], between_pages: Callable[[], None] = do_nothing) -> None:
        self._histories = histories
        self._between_pages = between_pages
        self._buffers: list[deque[Dated]] = [deque() for _ in histories]
        self._places: dict[UUID, int] = {}
        """Message id -> the history in whose buffer it is."""

    def until(self, end: datetime | None) -> Iterator[Dated]:
        """The messages of the windows that are open, up to a time; later ones stay for the next windows."""
        while (first := self._first()) is not None:
            if end and self._buffers[first][0].moment > end:
                return
            yield self._pop(self._cause_of(first))

    def _first(self) -> int | None:
        """The history whose next message is the earliest, once each is read far enough to know; None at the end."""
        while True:
            heads = [(buffer[0].moment, place) for place, buffer in enumerate(self._buffers) if buffer]
            earliest, first = min(heads, default=(None, None))
            behind = [
                place for place, history in enumerate(self._histories) if self._is_behind(place, history, earliest)
            ]
            if not behind:
                return first
            for place in behind:
                self._read(place)

    def _is_behind(self, place: int, history: MessageHistory, earliest: datetime | None) -> bool:
        if history.is_read or len(self._buffers[place]) >= MAX_AHEAD:
            return False
        return earliest is None or history.reached <= earliest + SKEW

    def _read(self, place: int) -> None:
        for dated in self._histories[place].page():
            self._buffers[place].append(dated)
            self._places[dated.message.id] = place
        self._between_pages()

    def _cause_of(self, place: int) -> int:
        """The history that has to go first: where a message waits that caused the next message of this one."""
        visited = {place}
        while True:
            cause = self._buffers[place][0].message.cause.causation_id
            found = self._places.get(cause) if cause else None
            if found is None or found in visited:
                return place
            visited.add(found)
            place = found

    def _pop(self, place: int) -> Dated:
        dated = self._buffers[place].popleft()
        self._places.pop(dated.message.id, None)
        return dated
