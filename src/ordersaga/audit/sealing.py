"""The loop that seals one store every few seconds and verifies all of it from time to time."""

import threading
import time
from contextlib import suppress

import psycopg
from prometheus_client import Counter, Gauge

from ordersaga.audit import verification
from ordersaga.audit.findings import AuditFinding
from ordersaga.audit.note import Signer
from ordersaga.audit.records import records_of_all
from ordersaga.audit.sealed_log import LogDamaged, LogFiles
from ordersaga.audit.sealer import StoreSealer
from ordersaga.audit.store import ClocksDiffer
from ordersaga.audit.store_check import VerifyTotals
from ordersaga.audit.store_records import records_of
from ordersaga.audit.verify import verify
from ordersaga.runtime.links import Link
from ordersaga.runtime.logs import log
from ordersaga.runtime.sessions import SEALER, connect

VERIFY_SECONDS = 60.0
VERIFY_SHARE = 0.05
"""Verification takes at most this share of the time."""

sealed_events = Counter("ordersaga_audit_events_sealed_total", "Events sealed by this process", ["store"])
size = Gauge("ordersaga_audit_log_events", "Sealed events in the log", ["store"])
lag = Gauge("ordersaga_audit_lag_seconds", "Age of the moment up to which every event is sealed", ["store"])
findings = Gauge("ordersaga_audit_findings", "Findings of the last verification", ["store"])
verified = Gauge("ordersaga_audit_verification_age_seconds", "Age of the last completed verification", ["store"])


class SealingLoop:
    """Seals and verifies one store; waits for a database that is away and for a damaged log to be restored."""

    def __init__(self, files: LogFiles, url: str, signer: Signer, seconds: float, stop: threading.Event) -> None:
        self.store = files.store
        self._files = files
        self._url = url
        self._signer = signer
        self._seconds = seconds
        self._stop = stop
        self._link = Link(f"the log of {files.store}")
        self._may_verify = threading.Event()
        """Set once the events of an outage are sealed, or cannot be: until then they would be findings."""
        self._unverified = ""
        self._up_to_date_at = self._verified_at = time.monotonic()
        lag.labels(self.store).set_function(lambda: time.monotonic() - self._up_to_date_at)
        verified.labels(self.store).set_function(lambda: time.monotonic() - self._verified_at)

    def problems(self) -> list[str]:
        """The problems that prevent sealing or verification now, each in one sentence."""
        return [problem for problem in (self._link.problem, self._unverified) if problem]

    def run(self) -> None:
        """Seal until `stop` is set, then once more."""
        while not self._stop.is_set():
            try:
                self._seal()
            except (psycopg.Error, LogDamaged, ClocksDiffer, OSError, ValueError) as error:
                self._link.down(error)
                if isinstance(error, psycopg.OperationalError):
                    self._may_verify.clear()
                else:
                    self._may_verify.set()
                self._stop.wait(self._link.pause())
        self._may_verify.set()

    def _seal(self) -> None:
        name = f"audit sealer {self.store}"
        with (
            connect(self._url, name, SEALER) as connection,
            StoreSealer(self._files, self._signer, connection) as sealer,
        ):
            stopping = False
            while not stopping:
                stopping = self._stop.is_set()
                began = time.monotonic()
                sealed_events.labels(self.store).inc(sealer.seal())
                self._up_to_date_at = began
                self._link.up()
                self._may_verify.set()
                size.labels(self.store).set(sealer.size)
                self._stop.wait(self._seconds)

    def keep_verifying(self) -> None:
        """Verify until `stop` is set; the result goes into logs, metrics and a file beside the sealed log."""
        pause = min(self._seconds, VERIFY_SECONDS)
        while not self._stop.wait(pause):
            self._may_verify.wait()
            if self._stop.is_set():
                return
            began = time.monotonic()
            found: list[AuditFinding] = []
            try:
                totals = self._verify(found)
                self._publish(found)
                pause = max(VERIFY_SECONDS, (time.monotonic() - began) / VERIFY_SHARE)
                verification.save(self._files, totals, found, pause)
                self._unverified, self._verified_at = "", began
            except Exception as error:  # noqa: BLE001 - /readyz and the log show whatever prevents verification
                self._unverified = f"the store {self.store} could not be verified: {error!r}"
                log.warning("the store could not be verified", store=self.store, reason=repr(error))
                pause = max(self._seconds, (time.monotonic() - began) / VERIFY_SHARE)
                if found:
                    self._publish(found)
                with suppress(OSError):
                    verification.save_failure(self._files, found, repr(error))

    def _verify(self, found: list[AuditFinding]) -> VerifyTotals:
        with connect(self._url, f"audit verify {self.store}", SEALER, autocommit=False) as connection:
            records = records_of_all([self.store], lambda _: records_of(connection, self._files))
            [totals] = verify(records, self._signer.verifier, found.append)
        return totals

    def _publish(self, found: list[AuditFinding]) -> None:
        findings.labels(self.store).set(len(found))
        if found:
            log.error("history was tampered with", store=self.store, findings=len(found), first=str(found[0]))
