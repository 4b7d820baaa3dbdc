"""The monitor: asks every process of the system, once a second while a dashboard is open and else every ten seconds."""

import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from typing import Any

from ordersaga.runtime.logs import log
from projections.monitor.broker import Broker, BrokerAnswer, by_processes
from projections.monitor.figures import RecentReadings
from projections.monitor.probe import Probe, ProcessAnswer
from projections.monitor.snapshot import NOT_ANSWERED_YET, BrokerStatus, ProcessStatus, Snapshot, Snapshots
from projections.monitor.targets import Target

PERIOD = 1.0
"""Seconds between two rounds while a dashboard is open, or while an alarm has been seen in one round."""
IDLE_PERIOD = 10.0
IDLE_AFTER_SECONDS = 30.0
"""Without a call of `snapshots` for so long, nobody looks."""
ANSWER_SECONDS = 3.0
"""An idle round waits so long for slow processes: by then each has answered or is down."""
LATE_SECONDS = 5.0
"""While a dashboard is open, a new snapshot arrives every second or two."""
HISTORY = 600
"""Snapshots that are kept: ten minutes while a dashboard is open."""


class Monitor:
    """Call `start` once in a process, after any fork; `snapshots` returns at once."""

    def __init__(self, targets: Sequence[Target], broker_metrics_url: str = "") -> None:
        self.targets = tuple(targets)
        self._probes = [Probe(target) for target in targets]
        self._recent = {target.name: RecentReadings(target) for target in targets}
        self._latest: dict[str, ProcessStatus] = {}
        self._asked: dict[str, Future[ProcessAnswer]] = {}
        self._broker = Broker(broker_metrics_url)
        self._broker_asked: Future[BrokerAnswer] | None = None
        self._history: deque[Snapshot] = deque(maxlen=HISTORY)
        self._read_at = self._read_first_at = float("-inf")
        self._is_due = threading.Event()
        self._stopping = threading.Event()
        self._taken = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)

    def start(self) -> "Monitor":
        """Start the thread."""
        self._thread.start()
        return self

    def snapshots(self) -> Snapshots:
        """The snapshots so far. The monitor takes a new one each second for the next 30 seconds."""
        now = time.monotonic()
        if not self.is_watched:
            self._read_first_at = now
            self._is_due.set()
        self._read_at = now
        history = tuple(self._history)
        latest = history[-1] if history else None
        is_old = latest is not None and (datetime.now(UTC) - latest.at).total_seconds() > LATE_SECONDS
        return Snapshots(latest, history, is_old and now - self._read_first_at > LATE_SECONDS)

    def hurry(self) -> None:
        """Take the next snapshot after a second, though nobody looks."""
        self._is_due.set()

    def next_after(self, known: Snapshot | None, timeout: float) -> Snapshot | None:
        """Wait until there is a newer snapshot than `known`; None when none comes in time. Counts as no look."""
        with self._taken:
            self._taken.wait_for(lambda: self._newest is not known, timeout)
            return self._newest if self._newest is not known else None

    @property
    def _newest(self) -> Snapshot | None:
        return self._history[-1] if self._history else None

    @property
    def is_watched(self) -> bool:
        """Whether the snapshots were read lately."""
        return time.monotonic() - self._read_at <= IDLE_AFTER_SECONDS

    def stop(self) -> None:
        """End the thread and close all connections."""
        self._stopping.set()
        self._is_due.set()
        self._thread.join()

    def _run(self) -> None:
        with ThreadPoolExecutor(len(self.targets) + 1, thread_name_prefix="monitor") as pool:
            while not self._stopping.is_set():
                self._is_due.clear()
                began = time.monotonic()
                try:
                    self._round(pool)
                except Exception:  # noqa: BLE001 - one failure must not end the thread
                    log.exception("the monitor could not take a snapshot and will try again")
                self._stopping.wait(max(0.0, began + PERIOD - time.monotonic()))
                if not self.is_watched:
                    self._is_due.wait(max(0.0, began + IDLE_PERIOD - time.monotonic()))
        for probe in self._probes:
            probe.close()
        self._broker.close()

    def _round(self, pool: ThreadPoolExecutor) -> None:
        """Ask all processes, and take a snapshot once they have answered; a slower process keeps its last status."""
        for probe in self._probes:
            if probe.target.name not in self._asked:
                self._asked[probe.target.name] = pool.submit(probe.ask)
        if self._broker_asked is None:
            self._broker_asked = pool.submit(self._broker.ask)
        asked: list[Future[Any]] = [*self._asked.values(), self._broker_asked]
        wait(asked, timeout=PERIOD if self.is_watched else ANSWER_SECONDS)
        for name, future in list(self._asked.items()):
            if future.done():
                del self._asked[name]
                self._latest[name] = self._recent[name].take(future.result())
        processes = tuple(self._latest[target.name] for target in self.targets if target.name in self._latest)
        snapshot = Snapshot(datetime.now(UTC), processes, self._broker_status(processes))
        with self._taken:
            self._history.append(snapshot)
            self._taken.notify_all()

    def _broker_status(self, processes: Sequence[ProcessStatus]) -> BrokerStatus:
        """The status from a new answer; else the last status."""
        if self._broker_asked and self._broker_asked.done():
            answer, self._broker_asked = self._broker_asked.result(), None
            return self._broker.take(answer, processes)
        last = self._history[-1].broker if self._history else None
        return last or by_processes(NOT_ANSWERED_YET, processes)
