"""The reconciliation: compares events with announcements, and announcements with what every service received."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from heapq import merge
from itertools import groupby
from operator import attrgetter
from typing import Any
from uuid import UUID

from ordersaga.reconcile import places, rules
from ordersaga.reconcile.findings import ReconcileFinding
from ordersaga.reconcile.message_row import MessageRow
from ordersaga.reconcile.reach import reach_of
from ordersaga.reconcile.receivers import Receivers
from ordersaga.reconcile.replay import compare_snapshots
from ordersaga.reconcile.settle import Settling
from ordersaga.reconcile.silent_queues import silent_queues
from ordersaga.reconcile.snapshots import Snapshots, take_snapshots
from ordersaga.reconcile.sorted_runs import SortedRuns
from ordersaga.reconcile.stores import read_store
from ordersaga.service import Service

PATIENCE = 10.0
"""Seconds that a message may be in flight."""
RETENTION = timedelta(days=1)
"""How long published rows stay in the outboxes."""
INBOX_RETENTION = timedelta(days=30)
"""How long inboxes remember received messages."""
STEP = 1000
"""Events or messages between two calls of `progress`."""
by_id = attrgetter("id")


@dataclass
class ReconcileTotals:
    """The numbers so far."""

    events: int = 0
    messages: int = 0
    findings: int = 0


def no_progress(_: ReconcileTotals) -> None:
    """Show no progress."""


class Reconciliation:
    """One comparison of the databases of all services.

    Args:
        services: all services of the application, read sides included.
        urls: by name of the service, the URL of its database for the owner.
        report: called with each finding at once.
        since: report only later events and messages.
        key: compare only the messages of this key, and the events of the aggregate with this id.
        patience: seconds that a message may be in flight before it is a finding.
        retention: how long published rows stay in the outboxes.
        inbox_retention: how long inboxes remember received messages.
        progress: called after every STEP events or messages.
    """

    def __init__(
        self,
        services: Sequence[Service],
        urls: Mapping[str, str],
        report: Callable[[ReconcileFinding], None],
        *,
        since: datetime | None = None,
        key: UUID | None = None,
        patience: float = PATIENCE,
        retention: timedelta = RETENTION,
        inbox_retention: timedelta = INBOX_RETENTION,
        progress: Callable[[ReconcileTotals], None] = no_progress,
    ) -> None:
        self.services = {service.name: service for service in services}
        self.urls = {name: urls[name] for name in self.services}
        self.since = since
        self.key = key
        self.patience = patience
        self.retention = retention
        self.inbox_retention = inbox_retention
        self.totals = ReconcileTotals()
        self._report_finding = report
        self._progress = progress

    def run(self) -> ReconcileTotals:
        """Raises psycopg.Error when a database is away or not migrated."""
        with ExitStack() as stack:
            snapshots = stack.enter_context(take_snapshots([*self.services.values()], self.urls))
            silent = {name: [*silent_queues(connection)] for name, connection in snapshots.announced.items()}
            reach = {name: reach_of(connection) for name, connection in snapshots.received.items()}
            receivers = Receivers([*self.services.values()], silent, reach)
            settling = stack.enter_context(Settling(self.urls, receivers, self.patience, self._report))
            stored = stack.enter_context(SortedRuns(self._announced(snapshots)))
            for rows in self._messages(snapshots, stored):
                now = datetime.now(UTC)
                settling.add(rules.judge(rows, receivers, now - self.retention, now - self.inbox_retention))
            settling.settle()
            self._report_unsettled(snapshots)
        self._progress(self.totals)
        return self.totals

    def _announced(self, snapshots: Snapshots) -> Iterator[MessageRow]:
        """The messages of all stores."""
        for name, connection in snapshots.announced.items():
            for row in read_store(self.services[name], connection, self.key, self._report_of_event):
                self.totals.events += 1
                self._show(self.totals.events)
                if row:
                    yield row
            compare_snapshots(name, connection, self.key, self._report_of_event)

    def _messages(self, snapshots: Snapshots, stored: Iterable[MessageRow]) -> Iterator[list[MessageRow]]:
        """All rows of one message, message after message."""
        with_key: list[Any] = [stored, *places.with_key(snapshots, self.key)]
        ids: Collection[UUID] | None = None
        if self.key:
            with_key = [list(stream) for stream in with_key]
            ids = {row.id for stream in with_key for row in stream}
        for _, group in groupby(merge(*with_key, *places.without_key(snapshots, ids), key=by_id), by_id):
            rows = list(group)
            self.totals.messages += 1
            self._show(self.totals.messages)
            if self._is_recent(max(row.moment for row in rows)):
                yield rows

    def _report_unsettled(self, snapshots: Snapshots) -> None:
        """What the services say of their own aggregates."""
        for name, connection in snapshots.announced.items():
            for found in self.services[name].unsettled(connection):
                if self.key in (None, found.aggregate_id) and self._is_recent(found.since):
                    self._report(
                        ReconcileFinding(
                            "unsettled", f"{name}.stored_events", found.detail, key=str(found.aggregate_id)
                        )
                    )

    def _is_recent(self, moment: datetime) -> bool:
        return self.since is None or moment >= self.since

    def _report_of_event(self, finding: ReconcileFinding, moment: datetime) -> None:
        if self._is_recent(moment):
            self._report(finding)

    def _report(self, finding: ReconcileFinding) -> None:
        self.totals.findings += 1
        self._report_finding(finding)

    def _show(self, number: int) -> None:
        if number % STEP == 0:
            self._progress(self.totals)
