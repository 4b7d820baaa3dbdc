"""Audit: the hash chains and the signed checkpoints are intact; what `audit verify` finds."""

import time
from collections.abc import Iterable

from devstack.chaos.checker.evidence import Evidence
from devstack.chaos.verdict import Offence, Verdict
from ordersaga.audit.event_log_check import EventLogCheck
from ordersaga.audit.findings import AuditFinding
from ordersaga.audit.store_check import VerifyTotals
from ordersaga.audit.verify import verify
from ordersaga.cli.app import OWNER, Application
from ordersaga.cli.audit.live_records import live_records
from ordersaga.cli.databases import connected

QUESTION = "Is every event as it was recorded, sealed and signed, and as its message in the event log says?"
SEALING_SECONDS = 30.0
POLL_SECONDS = 1.0


def audit(evidence: Evidence) -> Verdict:
    """The sealer may have been stopped for longer than an event may be unsealed: it has some seconds to seal them."""
    end = time.monotonic() + SEALING_SECONDS
    while True:
        found, totals = verified(evidence.application)
        if time.monotonic() > end or not found or any(finding.kind != "unsealed" for finding in found):
            return judge(found, totals)
        time.sleep(POLL_SECONDS)


def verified(application: Application) -> tuple[list[AuditFinding], list[VerifyTotals]]:
    """The findings, and the totals of each store."""
    found: list[AuditFinding] = []
    read_side = application.read_side
    assert read_side is not None
    with connected(application, read_side, OWNER) as event_log:
        announcements = {each.database: each.announcements for each in application.with_outbox}
        compared = EventLogCheck(event_log, announcements, found.append).pass_on(live_records(application, None))
        return found, verify(compared, application.audit_key(), found.append)


def judge(findings: Iterable[AuditFinding], totals: Iterable[VerifyTotals]) -> Verdict:
    stores = list(totals)
    counts = {name: sum(getattr(each, name) for each in stores) for name in ("events", "sealed", "checkpoints")}
    return Verdict("audit", QUESTION, counts, [Offence(subject(finding), str(finding)) for finding in findings])


def subject(finding: AuditFinding) -> str:
    return f"event {finding.stream} version {finding.version}" if finding.stream else f"store {finding.store}"
