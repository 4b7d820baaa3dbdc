"""Asks every process of the system once a second, for as long as somebody looks."""

import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from typing import Any

from ordersaga.runtime.logs import log
from projections.monitor.broker import Broker, BrokerAnswer, by_processes
from projections.monitor.figures import Recent
from projections.monitor.picture import BrokerPicture, Picture, ProcessPicture, Sight
from projections.monitor.probe import Answer, Probe
from projections.monitor.targets import Target

PERIOD = 1.0
LOOKED_SECONDS = 30.0
"""So long after the last look the questions go on."""
HISTORY = 600
"""Pictures kept, some ten minutes."""
STILL_ASKED = "The broker has not answered yet."


class Monitor:
    """`start` it once in a process, after any fork; `look` costs nothing and never waits."""

    def __init__(self, targets: Sequence[Target], broker_metrics_url: str = "") -> None:
        self.targets = tuple(targets)
        self._probes = [Probe(target) for target in targets]
        self._recent = {target.name: Recent(target) for target in targets}
        self._latest: dict[str, ProcessPicture] = {}
        self._asked: dict[str, Future[Answer]] = {}
        self._broker = Broker(broker_metrics_url)
        self._broker_asked: Future[BrokerAnswer] | None = None
        self._history: deque[Picture] = deque(maxlen=HISTORY)
        self._looked_at = float("-inf")
        self._somebody_looked = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)

    def start(self) -> "Monitor":
        self._thread.start()
        return self

    def look(self) -> Sight:
        """The newest picture and its past; and from now on, for half a minute, a new one each second."""
        self._looked_at = time.monotonic()
        self._somebody_looked.set()
        history = tuple(self._history)
        return Sight(history[-1] if history else None, history)

    @property
    def is_asking(self) -> bool:
        """Whether somebody has looked lately."""
        return time.monotonic() - self._looked_at <= LOOKED_SECONDS

    def stop(self) -> None:
        self._stopping.set()
        self._somebody_looked.set()
        self._thread.join()

    def _run(self) -> None:
        with ThreadPoolExecutor(len(self.targets) + 1, thread_name_prefix="monitor") as pool:
            while not self._stopping.is_set():
                self._somebody_looked.clear()
                if not self.is_asking:
                    self._somebody_looked.wait()
                    continue
                began = time.monotonic()
                try:
                    self._round(pool)
                except Exception:  # noqa: BLE001 - one failure must not end the thread
                    log.exception("the monitor could not draw a picture and will try again")
                self._stopping.wait(max(0.0, began + PERIOD - time.monotonic()))
        for probe in self._probes:
            probe.close()
        self._broker.close()

    def _round(self, pool: ThreadPoolExecutor) -> None:
        """Ask all, and draw what is known after a second; who is slower keeps what was said of it last."""
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
        self._history.append(Picture(datetime.now(UTC), processes, self._look_at_broker(processes)))

    def _look_at_broker(self, processes: Sequence[ProcessPicture]) -> BrokerPicture:
        """While the broker has yet to answer, its last answer stands."""
        if self._broker_asked and self._broker_asked.done():
            answer, self._broker_asked = self._broker_asked.result(), None
            return self._broker.take(answer, processes)
        last = self._history[-1].broker if self._history else None
        return last or by_processes(STILL_ASKED, processes)
