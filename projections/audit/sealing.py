"""Keeps one store sealed and proven: seals it every few seconds, and verifies all of it from time to time."""

import json
import threading
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from prometheus_client import Counter, Gauge

from messaging.links import KEEPALIVE, Link
from messaging.telemetry import log
from projections.audit import live
from projections.audit.findings import Finding
from projections.audit.log import LogDamaged, LogFiles
from projections.audit.note import Signer
from projections.audit.sealer import Sealer
from projections.audit.verify import verify

VERIFY_SECONDS = 60.0
VERIFY_SHARE = 0.05
"""Verifying takes at most this share of the time."""
AT_MOST = 100
"""Findings that are kept of one verification."""

sealed_events = Counter("ordersaga_audit_sealed_events_total", "Events sealed by this process", ["store"])
size = Gauge("ordersaga_audit_log_size", "Events sealed in all", ["store"])
lag = Gauge("ordersaga_audit_lag_seconds", "Age of the moment up to which everything is sealed", ["store"])
findings = Gauge("ordersaga_audit_findings", "What the last verification found", ["store"])


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
        self._up_to_date_at = time.monotonic()
        lag.labels(self.store).set_function(lambda: time.monotonic() - self._up_to_date_at)

    def problems(self) -> list[str]:
        """What keeps the store from being sealed."""
        return [self._link.problem] if self._link.problem else []

    def run(self) -> None:
        """Seal until told to stop."""
        while not self._stop.is_set():
            try:
                self._seal()
            except (psycopg.Error, LogDamaged, OSError, ValueError) as error:
                self._link.away(error)
                self._stop.wait(self._link.pause())

    def _seal(self) -> None:
        name = f"audit sealer {self.store}"
        with (
            psycopg.connect(self._url, autocommit=True, application_name=name, **KEEPALIVE) as connection,
            Sealer(self._files, self._signer, connection) as sealer,
        ):
            while not self._stop.is_set():
                began = time.monotonic()
                sealed_events.labels(self.store).inc(sealer.seal())
                self._up_to_date_at = began
                self._link.up()
                size.labels(self.store).set(sealer.size)
                self._stop.wait(self._seconds)

    def keep_verifying(self) -> None:
        """Verify until told to stop; what it finds is logged, measured and kept beside the log."""
        pause = min(self._seconds, VERIFY_SECONDS)
        while not self._stop.wait(pause):
            began = time.monotonic()
            try:
                self._verify()
            except (psycopg.Error, OSError) as error:
                log.warning("the store could not be verified", store=self.store, reason=repr(error))
            pause = max(VERIFY_SECONDS, (time.monotonic() - began) / VERIFY_SHARE)

    def _verify(self) -> None:
        found: list[Finding] = []
        with psycopg.connect(self._url, application_name=f"audit verify {self.store}", **KEEPALIVE) as connection:
            records = live.records(connection, self._files)
            [totals] = verify(records, self._signer.verifier, found.append)
        findings.labels(self.store).set(totals.findings)
        if found:
            log.error("history was tampered with", store=self.store, findings=totals.findings, first=str(found[0]))
        kept = {
            **asdict(totals),
            "verified_at": datetime.now(UTC),
            "named": [asdict(each) for each in found[:AT_MOST]],
        }
        write(verification(self._files), json.dumps(kept, default=str))


def verification(files: LogFiles) -> Path:
    """Where the last verification of a store is kept."""
    return files.directory / f"{files.store}.verification.json"


def last_verification(files: LogFiles) -> dict[str, Any] | None:
    """As the sealer kept it; None before the first."""
    try:
        kept: dict[str, Any] = json.loads(verification(files).read_text())
    except FileNotFoundError:
        return None
    return kept


def write(path: Path, text: str) -> None:
    """All or nothing."""
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    new.replace(path)
