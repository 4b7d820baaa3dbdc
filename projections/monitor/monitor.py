"""The monitor: asks every process of the system once a second, while a dashboard is open."""

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
from projections.monitor.snapshot import BrokerStatus, ProcessStatus, Snapshot, Snapshots
from projections.monitor.targets import Target

PERIOD = 1.0
"""Seconds between two rounds."""
IDLE_AFTER_SECONDS = 30.0
"""Without a call of `snapshots` for so long, the monitor stops asking."""
HISTORY = 600
"""Snapshots that are kept, about ten minutes."""
NOT_ANSWERED_YET = "The broker has not answered yet."


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
        self._read_at = float("-inf")
        self._was_read = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)

    def start(self) -> "Monitor":
        """Start the thread."""
        self._thread.start()
        return self

    def snapshots(self) -> Snapshots:
        """The snapshots so far. The monitor takes a new one each second for the next 30 seconds."""
        self._read_at = time.monotonic()
        self._was_read.set()
        history = tuple(self._history)
        return Snapshots(history[-1] if history else None, history)

    @property
    def is_asking(self) -> bool:
        """Whether the snapshots were read lately."""
        return time.monotonic() - self._read_at <= IDLE_AFTER_SECONDS

    def stop(self) -> None:
        """End the thread and close all connections."""
        self._stopping.set()
        self._was_read.set()
        self._thread.join()

    def _run(self) -> None:
        with ThreadPoolExecutor(len(self.targets) + 1, thread_name_prefix="monitor") as pool:
            while not self._stopping.is_set():
                self._was_read.clear()
                if not self.is_asking:
                    self._was_read.wait()
                    continue
                began = time.monotonic()
                try:
                    self._round(pool)
                except Exception:  # noqa: BLE001 - one failure must not end the thread
                    log.exception("the monitor could not take a snapshot and will try again")
                self._stopping.wait(max(0.0, began + PERIOD - time.monotonic()))
        for probe in self._probes:
            probe.close()
        self._broker.close()

    def _round(self, pool: ThreadPoolExecutor) -> None:
        """Ask all processes, and take a snapshot after a second; a slower process keeps its last status."""
        for probe in self._probes:
            if probe.target.name not in self._asked:
                self._asked[probe.target.name] = pool.submit(probe.ask)
        if self._broker_asked is None:
            self._broker_asked = pool.submit(self._broker.ask)
        asked: list[Future[Any]] = [*self._asked.values(), self._broker_asked]
        wait(asked, timeout=PERIOD)
        for name, future in list(self._asked.items()):
            if future.done():
                del self._asked[name]
                self._latest[name] = self._recent[name].take(future.result())
        processes = tuple(self._latest[target.name] for target in self.targets if target.name in self._latest)
        self._history.append(Snapshot(datetime.now(UTC), processes, self._broker_status(processes)))

    def _broker_status(self, processes: Sequence[ProcessStatus]) -> BrokerStatus:
        """The status from a new answer; else the last status."""
        if self._broker_asked and self._broker_asked.done():
            answer, self._broker_asked = self._broker_asked.result(), None
            return self._broker.take(answer, processes)
        last = self._history[-1].broker if self._history else None
        return last or by_processes(NOT_ANSWERED_YET, processes)
