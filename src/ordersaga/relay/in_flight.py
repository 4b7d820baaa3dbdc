"""The rows that a relay has read and not settled: at most one of each key is with the broker, later ones wait."""

from collections import deque
from collections.abc import Iterable, Sequence

from ordersaga.relay.window import Outgoing


class InFlight:
    """Keeps the order of a key: had a later message of it been sent, it would arrive before one that is refused."""

    def __init__(self) -> None:
        self.confirmed: int | None = None
        """The position of the last row before which all are settled, in the order in which they were read."""
        self.passed = 0
        """Rows up to this one."""
        self._sent: deque[Outgoing] = deque()
        self._keys: dict[str, deque[Outgoing] | None] = {}
        """Key with the broker -> rows that wait for it."""
        self._waiting = 0
        self.bytes = 0
        """Bytes of the bodies with the broker and of those that wait."""
        self._window: deque[int] = deque()
        """Positions read in all open windows, from the first one that is not settled."""
        self._settled: set[int] = set()
        self._retries: set[int] = set()

    @property
    def count(self) -> int:
        """Messages with the broker."""
        return len(self._sent)

    @property
    def outstanding(self) -> int:
        """Rows of the windows that are with the broker or wait for one of their key."""
        return len(self._sent) - len(self._retries) + self._waiting

    @property
    def read_so_far(self) -> int:
        """Rows of all windows since `begin`."""
        return self.passed + len(self._window)

    def exceeds(self, count: int, outstanding: int, size: int) -> bool:
        """Whether more messages are with the broker, more rows are not settled, or their bodies have more bytes."""
        return self.count > count or self.outstanding > outstanding or self.bytes > size

    @property
    def sent_rows(self) -> Sequence[Outgoing]:
        """Rows with the broker, in the order in which they were sent."""
        return self._sent

    @property
    def has_no_waiters(self) -> bool:
        """Whether no confirm makes a row due, so that the next rows can be sent before confirms are read."""
        return not self._waiting and not self._retries

    def begin(self) -> None:
        """Begin with the windows from a cursor, of which nothing is settled."""
        self.confirmed, self.passed = None, 0
        self._window.clear()
        self._settled.clear()

    def read(self, rows: Iterable[Outgoing]) -> None:
        """Append the next rows of the windows."""
        self._window.extend(row.position for row in rows)

    def admit(self, rows: Iterable[Outgoing]) -> list[Outgoing]:
        """Returns the rows that are due; the others wait for an earlier row of their key."""
        due = []
        keys = self._keys
        for row in rows:
            key = row.message.key
            if key not in keys:
                keys[key] = None
                due.append(row)
            else:
                keys[key] = behind = keys[key] or deque()
                behind.append(row)
                self._waiting += 1
                self.bytes += row.size
        return due

    def admit_retries(self, rows: list[Outgoing]) -> None:
        """Admit undeliverable rows that are sent again; their keys are not with the broker."""
        for row in rows:
            self._keys[row.message.key] = None
            self._retries.add(row.position)

    def has(self, key: str) -> bool:
        """Whether a message of the key is with the broker."""
        return key in self._keys

    def is_retry(self, row: Outgoing) -> bool:
        """Whether the row is an undeliverable one that is sent again."""
        return row.position in self._retries

    def mark_sent(self, rows: Sequence[Outgoing]) -> None:
        self._sent.extend(rows)
        self.bytes += bytes_of(rows)

    def pop_settled(self, count: int) -> list[Outgoing]:
        """Remove the oldest rows that were sent: the broker has confirmed or refused them."""
        settled = [self._sent.popleft() for _ in range(count)]
        self.bytes -= bytes_of(settled)
        return settled

    def finish(self, row: Outgoing) -> bool:
        """Settle the row. Returns whether it was an undeliverable one that was sent again."""
        if self._retries and row.position in self._retries:
            self._retries.remove(row.position)
            return True
        self._settled.add(row.position)
        return False

    def next_of(self, key: str) -> Outgoing | None:
        """The row that is due after the settled row of its key."""
        behind = self._keys[key]
        if behind:
            due = behind.popleft()
            self._waiting -= 1
            self.bytes -= due.size
            return due
        del self._keys[key]
        return None

    def pop_waiters(self, key: str) -> list[Outgoing]:
        """Remove and return the rows that wait for a refused row of their key."""
        behind = list(self._keys.pop(key) or ())
        self._waiting -= len(behind)
        self.bytes -= bytes_of(behind)
        return behind

    def mark_settled(self, rows: Iterable[Outgoing]) -> None:
        """Settle rows of the windows that were not sent."""
        self._settled.update(row.position for row in rows)

    def advance(self) -> int | None:
        """Move `confirmed` to the last row before which every row is settled."""
        window, settled = self._window, self._settled
        while window and window[0] in settled:
            self.confirmed = window.popleft()
            settled.remove(self.confirmed)
            self.passed += 1
        return self.confirmed

    def clear(self) -> None:
        """Drop the state of rows with the broker; the position in the windows stays."""
        self._sent.clear()
        self._keys.clear()
        self._retries.clear()
        self._waiting = self.bytes = 0


def bytes_of(rows: Iterable[Outgoing]) -> int:
    """Bytes of the bodies."""
    return sum(row.size for row in rows)
