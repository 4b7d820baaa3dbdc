"""Read side: it is equal to the fold of the stores; what `projections rebuild --dry-run` finds."""

from collections.abc import Iterable

from devstack.chaos.checker.evidence import Evidence
from devstack.chaos.verdict import LOST, OK, UNEXPECTED, Offence, Verdict
from ordersaga.readside.read_side import ReadSide
from ordersaga.readside.rebuild.findings import RebuildFinding
from ordersaga.readside.rebuild.rebuild import Rebuild

QUESTION = "Is the read side equal to the fold of the event stores?"
PATIENCE = 5.0
WORDS = {"missing": LOST, "unexpected": UNEXPECTED, "differs": UNEXPECTED}


def read_side(evidence: Evidence) -> Verdict:
    found: list[RebuildFinding] = []
    service = evidence.application.read_side
    assert isinstance(service, ReadSide)
    result = Rebuild(service, evidence.urls, found.append, dry_run=True, patience=PATIENCE).run()
    return judge(found, result.messages, evidence.excused)


def judge(findings: Iterable[RebuildFinding], messages: int, expected: frozenset[str] = frozenset()) -> Verdict:
    """Messages in `expected` are parked on purpose, so the read side lacks them."""
    counts = {OK: messages, LOST: 0, UNEXPECTED: 0}
    offences = []
    for finding in findings:
        if expected.isdisjoint(map(str, finding.row.values())):
            counts[WORDS[finding.kind]] += 1
            row = " ".join(str(value) for value in finding.row.values())
            offences.append(Offence(f"{finding.table} {row}", str(finding)))
    return Verdict("read side", QUESTION, counts, offences)
