"""The rows that a relay has in hand: with the broker, at most one of each key, and behind it those that wait for it."""

from collections import deque
from collections.abc import Iterable, Sequence

from ordersaga.relay.window import Outgoing


class Flight:
    """If a message is refused, no later one of its key may be with the broker: it would arrive first."""

    def __init__(self) -> None:
        self.confirmed: int | None = None
        """The last position of the window up to which every row is settled."""
        self._sent: deque[Outgoing] = deque()
        self._keys: dict[str, deque[Outgoing] | None] = {}
        """Key with the broker -> rows behind it."""
        self._waiting = 0
        self._window: deque[int] = deque()
        """Positions read, from the first that is not settled."""
        self._settled: set[int] = set()
        self._redriven: set[int] = set()

    @property
    def in_flight(self) -> int:
        """Messages with the broker."""
        return len(self._sent)

    @property
    def outstanding(self) -> int:
        """Rows of the window that are with the broker or wait for one that is."""
        return len(self._sent) - len(self._redriven) + self._waiting

    @property
    def is_settled(self) -> bool:
        """Whether every row of the window that was read is confirmed or kept as undeliverable."""
        return len(self._settled) == len(self._window)

    @property
    def with_the_broker(self) -> Sequence[Outgoing]:
        """In the order in which they were sent."""
        return self._sent

    @property
    def is_plain(self) -> bool:
        """Whether nothing happens before the window's next rows are sent, whatever is confirmed."""
        return not self._waiting and not self._redriven

    def open_window(self) -> None:
        """Positions from now on are of another window, of which nothing is settled."""
        self.confirmed = None
        self._window.clear()
        self._settled.clear()

    def read(self, rows: Iterable[Outgoing]) -> None:
        """These rows are the next of the window."""
        self._window.extend(row.position for row in rows)

    def admit(self, rows: Iterable[Outgoing]) -> list[Outgoing]:
        """Those of these rows whose turn it is; the others wait."""
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
        return due

    def admit_again(self, rows: list[Outgoing]) -> None:
        """Rows that were set aside before and are tried again; their keys are not with the broker."""
        for row in rows:
            self._keys[row.message.key] = None
            self._redriven.add(row.position)

    def has(self, key: str) -> bool:
        """Whether a message of the key is with the broker."""
        return key in self._keys

    def is_redriven(self, row: Outgoing) -> bool:
        """Whether it was set aside before."""
        return row.position in self._redriven

    def sent(self, rows: Iterable[Outgoing]) -> None:
        self._sent.extend(rows)

    def landed(self, count: int) -> list[Outgoing]:
        """Take out the oldest that were sent: the broker has spoken of them."""
        return [self._sent.popleft() for _ in range(count)]

    def finish(self, row: Outgoing) -> bool:
        """The row is settled; tells whether it had been set aside before."""
        if self._redriven and row.position in self._redriven:
            self._redriven.remove(row.position)
            return True
        self._settled.add(row.position)
        return False

    def next_of(self, key: str) -> Outgoing | None:
        """The row whose turn it is once that of its key is settled."""
        behind = self._keys[key]
        if behind:
            self._waiting -= 1
            return behind.popleft()
        del self._keys[key]
        return None

    def give_up(self, key: str) -> list[Outgoing]:
        """The rows that waited behind one that was refused; they wait no more."""
        behind = list(self._keys.pop(key) or ())
        self._waiting -= len(behind)
        return behind

    def set_aside(self, rows: Iterable[Outgoing]) -> None:
        """These rows of the window are settled without having been sent."""
        self._settled.update(row.position for row in rows)

    def advance(self) -> int | None:
        """Move `confirmed` over every row that is settled together with all before it."""
        window, settled = self._window, self._settled
        while window and window[0] in settled:
            self.confirmed = window.popleft()
            settled.remove(self.confirmed)
        return self.confirmed

    def clear(self) -> None:
        """Nothing is known of what was with the broker; the place in the window stays."""
        self._sent.clear()
        self._keys.clear()
        self._redriven.clear()
        self._waiting = 0
