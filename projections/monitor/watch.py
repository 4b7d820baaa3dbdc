"""The watch: derives the alarms from every snapshot, lets them stand, and has them recorded."""

import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

import psycopg
from prometheus_client import Gauge

from ordersaga.audit.verification import Verification
from ordersaga.database.pool import Database
from ordersaga.runtime.logs import log
from projections.audit.sources import Sources, SourceUnavailable
from projections.monitor.alarm import Alarm
from projections.monitor.alarms import Observed, derive
from projections.monitor.expected import Expected
from projections.monitor.limits import AlarmLimits
from projections.monitor.minutes import Minutes
from projections.monitor.monitor import Monitor
from projections.monitor.recorder import Recorder
from projections.monitor.snapshot import Snapshot
from projections.monitor.standing import Standing
from projections.queries import alarms as queries

ALARMS = Gauge("ordersaga_standing_alarms", "Alarms that stand", ["name", "severity"])
SETTLE_SECONDS = 15.0
"""While a stack starts, its processes are not up yet: alarms begin once all are up, or after this time."""
VERIFICATION_SECONDS = 5.0


class Watch:
    """Call `start` once in a process, after any fork; `alarms` returns at once."""

    def __init__(self, monitor: Monitor, sources: Sources, expected: Expected, limits: AlarmLimits) -> None:
        self._monitor, self._sources = monitor, sources
        self.expected, self._limits = expected, limits
        self._database: Database = sources.database
        self._standing = Standing()
        self._minutes = Minutes()
        self._recorder = Recorder(self._database)
        self._settled_at: float | None = time.monotonic() + SETTLE_SECONDS
        self._overdue: int = 0
        self._lost: Sequence[UUID] = ()
        self._verified_at = float("-inf")
        self._verifications: Mapping[str, Verification | None] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alarms", daemon=True)

    def start(self) -> "Watch":
        """Start the thread."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._thread.join()

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """Those that stand now, the worst first."""
        return self._standing.alarms

    def _run(self) -> None:
        snapshot: Snapshot | None = None
        while not self._stopping.is_set():
            newer = self._monitor.next_after(snapshot, timeout=0.5)
            if newer is None:
                continue
            snapshot = newer
            try:
                self._look(snapshot)
            except Exception:  # noqa: BLE001 - one failure must not end the thread
                log.exception("the alarms could not be derived; the next snapshot is tried")

    def _look(self, snapshot: Snapshot) -> None:
        self._minutes.take(snapshot)
        if not self._is_settled(snapshot):
            return
        self._look_at_orders()
        observed = Observed(snapshot, self._overdue, self._lost, self._verified())
        self._standing.update(derive(observed, self.expected, self._limits), datetime.now(UTC))
        serve(self._standing.alarms)
        if self._standing.is_unsure:
            self._monitor.hurry()
        self._recorder.record(self._standing, self._minutes)

    def _is_settled(self, snapshot: Snapshot) -> bool:
        all_up = all(process.state == "up" for process in snapshot.processes)
        if self._settled_at is not None and (all_up or time.monotonic() > self._settled_at):
            self._settled_at = None
        return self._settled_at is None

    def _look_at_orders(self) -> None:
        """They stay as they were when the database answered last."""
        with suppress(psycopg.Error), self._database.connection(timeout=1) as connection:
            self._overdue, self._lost = queries.overdue(connection), queries.lost(connection)

    def _verified(self) -> Mapping[str, Verification | None]:
        if time.monotonic() - self._verified_at > VERIFICATION_SECONDS:
            self._verified_at = time.monotonic()
            try:
                self._verifications = self._sources.verifications()
            except (SourceUnavailable, OSError, ValueError):
                self._verifications = {}
        return self._verifications


def serve(alarms: Iterable[Alarm]) -> None:
    """Set the metric to the number of these alarms; kinds that have ended become 0."""
    found = Counter[tuple[str, ...]]((alarm.name, alarm.severity) for alarm in alarms)
    before = {tuple(sample.labels.values()) for family in ALARMS.collect() for sample in family.samples}
    for labels in before | found.keys():
        ALARMS.labels(*labels).set(found[labels])
