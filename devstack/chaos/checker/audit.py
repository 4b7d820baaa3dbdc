"""Audit: the hash chains and the signed checkpoints are intact; what `audit verify` finds."""

from collections.abc import Iterable

from devstack.chaos.checker.evidence import Evidence
from devstack.chaos.verdict import Offence, Verdict
from ordersaga.audit.event_log_check import EventLogCheck
from ordersaga.audit.findings import AuditFinding
from ordersaga.audit.store_check import VerifyTotals
from ordersaga.audit.verify import verify
from ordersaga.cli.app import OWNER
from ordersaga.cli.audit.live_records import live_records
from ordersaga.cli.databases import connected

QUESTION = "Is every event as it was recorded, sealed and signed, and as its message in the event log says?"


def audit(evidence: Evidence) -> Verdict:
    found: list[AuditFinding] = []
    application = evidence.application
    records, read_side = live_records(application, None), application.read_side
    assert read_side is not None
    with connected(application, read_side, OWNER) as event_log:
        announcements = {each.database: each.announcements for each in application.with_outbox}
        compared = EventLogCheck(event_log, announcements, found.append).pass_on(records)
        totals = verify(compared, application.audit_key(), found.append)
    return judge(found, totals)


def judge(findings: Iterable[AuditFinding], totals: Iterable[VerifyTotals]) -> Verdict:
    stores = list(totals)
    counts = {name: sum(getattr(each, name) for each in stores) for name in ("events", "sealed", "checkpoints")}
    return Verdict("audit", QUESTION, counts, [Offence(subject(finding), str(finding)) for finding in findings])


def subject(finding: AuditFinding) -> str:
    return f"event {finding.stream} version {finding.version}" if finding.stream else f"store {finding.store}"
