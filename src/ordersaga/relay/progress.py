"""Progress: the windows that are open, and the cursor behind the rows of them that are settled."""

from collections import deque
from dataclasses import dataclass
from math import inf

from ordersaga.relay.in_flight import InFlight
from ordersaga.relay.window import Cursor


@dataclass(slots=True)
class OpenWindow:
    """A window of which not every row is settled."""

    target: str
    opened_at: float
    """By time.monotonic()."""
    end: float = inf
    """Rows of all windows up to its last one, once it is read."""


class Progress:
    """Each window begins where the one before ends, and may be opened while rows of earlier ones are in flight."""

    def __init__(self, cursor: Cursor, in_flight: InFlight, up_to_date_at: float) -> None:
        self.up_to_date_at = up_to_date_at
        """Every row committed until then is confirmed or recorded as undeliverable."""
        self.next = cursor
        """Where the next window begins."""
        self._in_flight = in_flight
        self._cursor = self._saved = cursor
        self._open: deque[OpenWindow] = deque()
        self._begin: float = 0
        """Rows of all windows before the oldest open one."""
        in_flight.begin()

    @property
    def is_settled(self) -> bool:
        """Whether every row of every window is confirmed or recorded as undeliverable."""
        self._advance()
        return not self._open

    @property
    def cursor(self) -> Cursor:
        """The cursor behind all rows before which all are settled."""
        self._advance()
        return self._cursor

    def open(self, target: str, opened_at: float) -> None:
        """Begin the window up to this snapshot; `opened_at` is by time.monotonic()."""
        self._open.append(OpenWindow(target, opened_at))
        self.next = Cursor(target)

    def all_read(self) -> None:
        """Every row of the newest window has been read."""
        if self._open:
            self._open[-1].end = self._in_flight.read_so_far

    def unsaved(self) -> Cursor | None:
        """The cursor behind all rows before which all are settled; None when it is saved already.

        It has the end of a window only together with a position. Without a position, a crash opens a wider window from
        the same start, which is harmless; with one, a row that commits later may have a lower position.
        """
        self._advance()
        return self._cursor if self._cursor != self._saved else None

    def saved(self, cursor: Cursor) -> None:
        self._saved = cursor

    def _advance(self) -> None:
        position = self._in_flight.advance()
        while self._open and self._open[0].end <= self._in_flight.passed:
            closed = self._open.popleft()
            self._cursor, self._begin, self.up_to_date_at = Cursor(closed.target), closed.end, closed.opened_at
        if self._in_flight.passed > self._begin:
            self._cursor = Cursor(self._cursor.published, self._open[0].target, position)
