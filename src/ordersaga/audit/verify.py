"""Verification: checks the records of all stores and reports every event, leaf and checkpoint that deviates."""

from collections.abc import Callable, Iterable
from datetime import timedelta

from ordersaga.audit.checkpoint import KeptCheckpoints
from ordersaga.audit.findings import AuditFinding
from ordersaga.audit.note import VerifierKey
from ordersaga.audit.records import BadExport, Record, StoreBegins, StoreEnds, StoreList
from ordersaga.audit.store_check import Report, StoreCheck, VerifyTotals

PATIENCE = timedelta(minutes=1)
"""How long an event may be unsealed."""
STEP = 1000
"""Events between two calls of `progress`."""


def verify(
    records: Iterable[Record],
    key: VerifierKey,
    report: Report,
    *,
    kept: KeptCheckpoints | None = None,
    patience: timedelta = PATIENCE,
    progress: Callable[[VerifyTotals], None] = lambda totals: None,
) -> list[VerifyTotals]:
    """Check the records of all stores. Returns the totals of each.

    Args:
        records: from an export, or from the databases as they are now.
        key: the public key that every checkpoint must be signed with.
        report: called with each finding at once.
        kept: checkpoints that an auditor kept elsewhere; the log must contain them.
        patience: how long an event may be unsealed.
        progress: called after every STEP events, with the totals of the store being read.

    Raises BadExport: a record has no StoreBegins before it.
    """
    kept = kept or KeptCheckpoints()
    totals: list[VerifyTotals] = []
    check: StoreCheck | None = None
    stores: tuple[str, ...] | None = None
    for record in records:
        if check and isinstance(record, StoreBegins | StoreList):
            check.cut_off()
            check = None
        match record:
            case StoreBegins():
                check = StoreCheck(record, key, report, kept, patience)
                totals.append(check.totals)
            case StoreList():
                stores = record.names
            case _ if check is None:
                raise BadExport("there is a record before the store that it is of")
            case StoreEnds():
                check.end(record)
                progress(check.totals)
                check = None
            case _:
                check.check(record)
                if check.totals.events % STEP == 0:
                    progress(check.totals)
    if check:
        check.cut_off()
    elif totals and stores is None:
        totals[-1].findings += 1
        report(AuditFinding("cut log", totals[-1].store, "the export stops behind this store: others may be missing"))
    begun = {each.store for each in totals}
    for store in sorted({*(stores or ()), *(name for name, _ in kept.checkpoints)} - begun):
        totals.append(VerifyTotals(store, findings=1))
        report(AuditFinding("cut log", store, "nothing of this store is there"))
    return totals
