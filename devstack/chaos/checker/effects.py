"""Effects: each announced message took effect once in each group that wants it; what `reconcile` finds."""

from collections.abc import Iterable

from devstack.chaos.checker.evidence import Evidence
from devstack.chaos.verdict import DUPLICATED, LOST, OK, UNEXPECTED, Offence, Verdict
from ordersaga.reconcile.findings import ReconcileFinding
from ordersaga.reconcile.reconcile import Reconciliation

QUESTION = "Did each announced message take effect once in each group that wants it, unaltered?"
PATIENCE = 5.0
"""Seconds that a message may still be under way; everything is drained by then."""
WORDS = {"missing": LOST, "undeliverable": LOST, "parked": LOST, "unexpected": UNEXPECTED, "duplicated": DUPLICATED}


def effects(evidence: Evidence) -> Verdict:
    found: list[ReconcileFinding] = []
    totals = Reconciliation(evidence.application.services, evidence.urls, found.append, patience=PATIENCE).run()
    return judge(found, totals.messages, evidence.excused)


def judge(findings: Iterable[ReconcileFinding], messages: int, expected: frozenset[str] = frozenset()) -> Verdict:
    """What is in `expected`, messages and keys, is parked on purpose: the verdict `parked` is about it."""
    counts = {OK: messages, LOST: 0, UNEXPECTED: 0, DUPLICATED: 0}
    offences = []
    for finding in findings:
        if not expected.isdisjoint((str(finding.message_id), str(finding.key))):
            continue
        word = WORDS.get(finding.kind, UNEXPECTED)
        counts[word] += 1
        counts[OK] -= finding.message_id is not None
        subject = f"message {finding.message_id}" if finding.message_id else f"key {finding.key}"
        offences.append(Offence(subject, str(finding)))
    return Verdict("effects", QUESTION, counts, offences)
