"""SentSignals: which process got which signal from a fault, so that an end by any other signal stands out."""

import signal
import threading

from devstack.children import Identity


class SentSignals:
    """Any thread may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent: dict[tuple[str, int], set[signal.Signals]] = {}

    def send(self, name: str, target: Identity, number: signal.Signals) -> None:
        """Signal a process of this name; what no longer runs gets nothing, and nothing is noted."""
        if target.signal(number):
            self.note(name, target.pid, number)

    def note(self, name: str, pid: int, number: signal.Signals) -> None:
        with self._lock:
            self._sent.setdefault((name, pid), set()).add(number)

    def to(self, name: str, pid: int) -> frozenset[signal.Signals]:
        """What this process got; one that was started later has another pid."""
        with self._lock:
            return frozenset(self._sent.get((name, pid), ()))
