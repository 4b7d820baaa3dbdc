"""The whole comparison: events against announcements, announcements against every group."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from heapq import merge
from itertools import groupby
from operator import attrgetter
from typing import Any
from uuid import UUID

from devstack.reconcile import places, rules
from devstack.reconcile.findings import Finding
from devstack.reconcile.row import Row
from devstack.reconcile.settle import Settling
from devstack.reconcile.snapshots import Snapshots, take_snapshots
from devstack.reconcile.sorted_runs import SortedRuns
from devstack.reconcile.stores import read_store

PATIENCE = 10.0
"""Seconds for messages that are under way."""
RETENTION = timedelta(days=1)
"""How long published rows stay in the outboxes."""
INBOX_RETENTION = timedelta(days=30)
"""How long inboxes remember what was received."""
STEP = 1000
by_id = attrgetter("id")


@dataclass
class Totals:
    """How far it has come."""

    events: int = 0
    messages: int = 0
    findings: int = 0


def nothing(_: Totals) -> None:
    """No progress is shown."""


class Reconciliation:
    """One comparison of all databases; `report` is called with each finding as it is made."""

    def __init__(
        self,
        urls: Mapping[str, str],
        report: Callable[[Finding], None],
        *,
        since: datetime | None = None,
        order: UUID | None = None,
        patience: float = PATIENCE,
        retention: timedelta = RETENTION,
        inbox_retention: timedelta = INBOX_RETENTION,
        progress: Callable[[Totals], None] = nothing,
    ) -> None:
        self.urls = urls
        self.since = since
        self.order = order
        self.patience = patience
        self.retention = retention
        self.inbox_retention = inbox_retention
        self.totals = Totals()
        self._tell = report
        self._progress = progress

    def run(self) -> Totals:
        with ExitStack() as stack:
            snapshots = stack.enter_context(take_snapshots(self.urls))
            settling = stack.enter_context(Settling(self.urls, self.patience, self._report))
            stored = stack.enter_context(SortedRuns(self._announced(snapshots)))
            for rows in self._messages(snapshots, stored):
                now = datetime.now(UTC)
                settling.add(rules.judge(rows, now - self.retention, now - self.inbox_retention))
            settling.settle()
        self._progress(self.totals)
        return self.totals

    def _announced(self, snapshots: Snapshots) -> Iterator[Row]:
        for service, connection in snapshots.announced.items():
            for row in read_store(service, connection, self.order, self._report_of):
                self.totals.events += 1
                self._show(self.totals.events)
                if row:
                    yield row

    def _messages(self, snapshots: Snapshots, stored: Iterable[Row]) -> Iterator[list[Row]]:
        """All rows of one message, message after message."""
        keyed: list[Any] = [stored, *places.keyed(snapshots, self.order)]
        ids: Collection[UUID] | None = None
        if self.order:
            keyed = [list(stream) for stream in keyed]
            ids = {row.id for stream in keyed for row in stream}
        for _, group in groupby(merge(*keyed, *places.unkeyed(snapshots, ids), key=by_id), by_id):
            rows = list(group)
            self.totals.messages += 1
            self._show(self.totals.messages)
            if self._is_of_interest(max(row.moment for row in rows)):
                yield rows

    def _is_of_interest(self, moment: datetime) -> bool:
        return self.since is None or moment >= self.since

    def _report_of(self, finding: Finding, moment: datetime) -> None:
        if self._is_of_interest(moment):
            self._report(finding)

    def _report(self, finding: Finding) -> None:
        self.totals.findings += 1
        self._tell(finding)

    def _show(self, number: int) -> None:
        if number % STEP == 0:
            self._progress(self.totals)
