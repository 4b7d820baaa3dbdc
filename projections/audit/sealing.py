"""Keeps one store sealed and proven: seals it every few seconds, and verifies all of it from time to time."""

import threading
import time
from contextlib import suppress

import psycopg
from prometheus_client import Counter, Gauge

from ordersaga.runtime.links import KEEPALIVE, Link
from ordersaga.runtime.logs import log
from projections.audit import live, verification
from projections.audit.findings import Finding
from projections.audit.log import LogDamaged, LogFiles
from projections.audit.note import Signer
from projections.audit.records import whole
from projections.audit.sealer import Sealer
from projections.audit.verify import Totals, verify

VERIFY_SECONDS = 60.0
VERIFY_SHARE = 0.05
"""Verifying takes at most this share of the time."""

sealed_events = Counter("ordersaga_audit_sealed_events_total", "Events sealed by this process", ["store"])
size = Gauge("ordersaga_audit_log_size", "Events sealed in all", ["store"])
lag = Gauge("ordersaga_audit_lag_seconds", "Age of the moment up to which everything is sealed", ["store"])
findings = Gauge("ordersaga_audit_findings", "What the last verification found", ["store"])
verified = Gauge("ordersaga_audit_verified_seconds", "Age of the last verification that was completed", ["store"])


class Sealing:
    """The work on one store; outlives its database and waits for a damaged log to be restored."""

    def __init__(self, files: LogFiles, url: str, signer: Signer, seconds: float, stop: threading.Event) -> None:
        self.store = files.store
        self._files = files
        self._url = url
        self._signer = signer
        self._seconds = seconds
        self._stop = stop
        self._link = Link(f"the log of {files.store}")
        self._may_verify = threading.Event()
        """What was recorded while nothing could be sealed is sealed now, or cannot be."""
        self._unverified = ""
        self._up_to_date_at = self._verified_at = time.monotonic()
        lag.labels(self.store).set_function(lambda: time.monotonic() - self._up_to_date_at)
        verified.labels(self.store).set_function(lambda: time.monotonic() - self._verified_at)

    def problems(self) -> list[str]:
        """What keeps the store from being sealed or verified."""
        return [problem for problem in (self._link.problem, self._unverified) if problem]

    def run(self) -> None:
        """Seal until told to stop, and then once more."""
        while not self._stop.is_set():
            try:
                self._seal()
            except (psycopg.Error, LogDamaged, OSError, ValueError) as error:
                self._link.away(error)
                if isinstance(error, psycopg.OperationalError):
                    self._may_verify.clear()
                else:
                    self._may_verify.set()
                self._stop.wait(self._link.pause())
        self._may_verify.set()

    def _seal(self) -> None:
        name = f"audit sealer {self.store}"
        with (
            psycopg.connect(self._url, autocommit=True, application_name=name, **KEEPALIVE) as connection,
            Sealer(self._files, self._signer, connection) as sealer,
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
        """Verify until told to stop; what comes of it is logged, measured and kept beside the log."""
        pause = min(self._seconds, VERIFY_SECONDS)
        while not self._stop.wait(pause):
            self._may_verify.wait()
            if self._stop.is_set():
                return
            began = time.monotonic()
            found: list[Finding] = []
            try:
                totals = self._verify(found)
                self._tell(found)
                pause = max(VERIFY_SECONDS, (time.monotonic() - began) / VERIFY_SHARE)
                verification.keep(self._files, totals, found, pause)
                self._unverified, self._verified_at = "", began
            except Exception as error:  # noqa: BLE001 - whatever keeps it from being verified is to be seen
                self._unverified = f"the store {self.store} could not be verified: {error!r}"
                log.warning("the store could not be verified", store=self.store, reason=repr(error))
                pause = max(self._seconds, (time.monotonic() - began) / VERIFY_SHARE)
                if found:
                    self._tell(found)
                with suppress(OSError):
                    verification.keep_failed(self._files, found, repr(error))

    def _verify(self, found: list[Finding]) -> Totals:
        with psycopg.connect(self._url, application_name=f"audit verify {self.store}", **KEEPALIVE) as connection:
            records = whole([self.store], lambda _: live.records(connection, self._files))
            [totals] = verify(records, self._signer.verifier, found.append)
        return totals

    def _tell(self, found: list[Finding]) -> None:
        findings.labels(self.store).set(len(found))
        if found:
            log.error("history was tampered with", store=self.store, findings=len(found), first=str(found[0]))
