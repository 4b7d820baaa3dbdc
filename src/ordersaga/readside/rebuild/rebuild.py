"""The rebuild: derive, load, fold, compare, catch up, swap. The live tables change in the last step alone."""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any

import psycopg
from psycopg import Connection

from ordersaga.envelope.versions import every_version
from ordersaga.readside import event_log
from ordersaga.readside.read_side import ReadSide
from ordersaga.readside.rebuild import comparison, history, session, shadow, shadow_log, stores
from ordersaga.readside.rebuild.derivation import derive
from ordersaga.readside.rebuild.derivers import DeriveJob, derive_all, tasks
from ordersaga.readside.rebuild.findings import RebuildFinding
from ordersaga.readside.rebuild.progress import RebuildProgress
from ordersaga.readside.rebuild.raising_thread import RaisingThread
from ordersaga.readside.rebuild.result import RebuildResult
from ordersaga.readside.rebuild.swap import drop_replaced, refuse_dependent_views, swap
from ordersaga.runtime import failpoints

LOG = "event_log"
PATIENCE = 10.0
"""Seconds that a message may be in flight before it counts as lost."""
POLL_SECONDS = 0.1
MAX_RECOVERED_IN_SWAP = 1000
"""More lost messages than this are recovered before the swap, during which every session waits."""
SMALL_ROUND = 1000
"""A round with fewer new messages is the last one before the swap."""
MAX_ROUNDS = 20


@dataclass(frozen=True)
class ShadowState:
    """How far the shadow has caught up."""

    end: int
    """The last position of the live log that the shadow has."""
    snapshots: Mapping[str, str]
    """By source, the snapshot up to which its events are derived."""


class Rebuild:
    """One rebuild of a read side.

    Args:
        read_side: the read side to rebuild.
        urls: by name of the service, the URL for the owner of its database: of the read side and of its sources.
        report: called with each finding at once.
        dry_run: only compare.
        keep: keep the replaced tables in the schema `replaced`.
        patience: seconds that a message may be in flight before it counts as lost.
        progress: updated after each part of a step.
    """

    def __init__(
        self,
        read_side: ReadSide,
        urls: Mapping[str, str],
        report: Callable[[RebuildFinding], None],
        *,
        dry_run: bool = False,
        keep: bool = False,
        patience: float = PATIENCE,
        progress: RebuildProgress | None = None,
    ) -> None:
        self._read_side = read_side
        self._views = list(read_side.views)
        self._tables = (LOG, *self._views)
        self._urls = {source.name: urls[source.name] for source in read_side.sources}
        self._announcements = {source.name: source.announcements for source in read_side.sources}
        self._without_events = [
            name for each in self._announcements.values() for name in every_version(each.without_events.values())
        ]
        self._target = urls[read_side.name]
        self._report_finding = report
        self._keep = keep
        self._patience = patience
        self._progress = progress or RebuildProgress()
        self._derived = f"derived_{token_hex(4)}"
        self._stores: dict[str, Connection[Any]] = {}
        self._recovered_from = 0
        self._started = time.monotonic()
        self.result = RebuildResult(datetime.now(UTC), None, dry_run)

    def run(self) -> RebuildResult:
        """Raises RebuildRefused when it cannot be done. The live tables are complete at any time."""
        with session.exclusive(self._target) as connection:
            try:
                self._run(connection)
            except BaseException:
                connection.close()
                self._clean_up()
                raise
            shadow.drop(connection)
        return self.result

    def _clean_up(self) -> None:
        """On another connection: the interrupted one may be in the middle of a transaction."""
        with suppress(session.RebuildRefused, psycopg.Error), session.exclusive(self._target) as connection:
            shadow.drop(connection)

    def _run(self, connection: Connection[Any]) -> None:
        if not self.result.dry_run:
            refuse_dependent_views(connection, self._tables)
        shadow.begin(connection)
        with self._progress.during("freeze"):
            self._state = ShadowState(shadow_log.freeze(connection, self._views), {})
        with ExitStack() as opened:
            for source, url in self._urls.items():
                self._stores[source] = opened.enter_context(stores.open_store(url))
            failpoints.reach("rebuild.frozen")
            self._derive(connection)
            failpoints.reach("rebuild.derived")
            self._load(connection)
            failpoints.reach("rebuild.loaded")
            self._compare(connection)
            failpoints.reach("rebuild.compared")
            self._await_in_flight(connection)
            if not self.result.dry_run:
                self._catch_up(connection)
                failpoints.reach("rebuild.caught-up")
                self._swap(connection)
            self._complete(connection)
            if not (self.result.dry_run or self._keep or self.result.left_out):
                drop_replaced(connection)

    def _derive(self, connection: Connection[Any]) -> None:
        shadow_log.make_derived(connection, self._derived)
        taken = {source: stores.take_snapshot(store) for source, store in self._stores.items()}
        snapshots = {source: each.snapshot for source, each in taken.items()}
        self._state = replace(self._state, snapshots=snapshots)
        self._progress.begin("derive", sum(each.last_position for each in taken.values()))
        job = DeriveJob(self._urls, self._announcements, self._target, self._derived)
        derive_all(job, tasks(taken), self._progress.advance)
        for store in self._stores.values():
            store.rollback()

    def _load(self, connection: Connection[Any]) -> None:
        shadow.make(connection, self._tables)
        shadow.add_keys(connection, self._views)
        with self._progress.during("load"):
            connection.execute(f"analyze rebuild.{self._derived}".encode())
            shadow_log.load(connection, self._derived, self._state.end, self._read_side.upcast_log.versions)
            shadow_log.keep(connection, self._without_events, 0, self._state.end)
        with session.connect(self._target) as other:
            indexing = RaisingThread(lambda: shadow.finish(other, [LOG]))
            self._progress.begin("fold", len(self._views))
            connection.execute("set search_path = rebuild")
            for view in self._views:
                self._read_side.fold(connection, 0, self._state.end, [view])
                self._progress.advance()
            with self._progress.during("index"):
                shadow.finish(connection, self._views)
                indexing.finish()
        shadow_log.keep_pending(connection, self._derived)
        connection.execute(f"truncate rebuild.{self._derived}".encode())

    def _compare(self, connection: Connection[Any]) -> None:
        self._progress.begin("compare", len(self._tables) + 1)
        for view in self._views:
            self._report(comparison.view(connection, view))
            self._progress.advance()
        self._report(comparison.altered(connection, self._state.end))
        self._report(comparison.other_versions(connection, self._read_side.known_contracts))
        self._progress.advance()
        self._leave_out(comparison.unexplained(connection, 0, self._state.end))
        self._progress.advance()

    def _leave_out(self, unexplained: Iterable[RebuildFinding]) -> None:
        self.result.left_out += self._report(unexplained)

    def _await_in_flight(self, connection: Connection[Any]) -> None:
        """Messages announced before the rebuild began have `patience` seconds to arrive; those that do not are lost."""
        self._catch_up_and_report(connection)
        while shadow_log.lost(connection) and time.monotonic() < self._started + self._patience:
            time.sleep(POLL_SECONDS)
            self._catch_up_and_report(connection)
        self._report(comparison.lost(connection))

    def _catch_up(self, connection: Connection[Any]) -> None:
        with self._progress.during("catch up"):
            if shadow_log.lost(connection) > MAX_RECOVERED_IN_SWAP:
                with connection.transaction():
                    event_log.lock(connection)
                    self._catch_up_and_report(connection)
                    self._recovered_from, last, recovered = self._recover(connection)
                self._state = replace(self._state, end=max(self._state.end, last))
                self.result.recovered += recovered
            for _ in range(MAX_ROUNDS):
                if self._catch_up_and_report(connection) < SMALL_ROUND:
                    return

    def _catch_up_and_report(self, connection: Connection[Any]) -> int:
        self._state, new, unexplained = self._catch_up_once(connection)
        self._leave_out(unexplained)
        return new

    def _catch_up_once(self, connection: Connection[Any]) -> tuple[ShadowState, int, list[RebuildFinding]]:
        """Bring the shadow to the end of the live log.

        Returns the new state, the number of new messages of the stores, and the messages that no event announces. It
        changes no attribute, because a failed swap rolls it back.
        """
        before = self._state
        end = max(before.end, shadow_log.end(connection))
        snapshots, new = {}, 0
        for source, store in self._stores.items():
            with store.transaction():
                snapshots[source] = stores.take_snapshot(store).snapshot
                events = stores.since(store, before.snapshots[source])
                new += derive(connection, self._derived, self._announcements[source], events)[1]
        shadow_log.add_pending(connection, self._derived)
        shadow_log.move(connection, before.end, end)
        shadow_log.keep(connection, self._without_events, before.end, end)
        connection.execute("set search_path = rebuild")
        self._read_side.fold(connection, before.end + 1, end)
        return ShadowState(end, snapshots), new, list(comparison.unexplained(connection, before.end, end))

    def _recover(self, connection: Connection[Any]) -> tuple[int, int, int]:
        """Add lost messages behind all others; the shadow has caught up and no other session assigns positions.

        Returns the first and the last position, 0 when no message was lost after all, and the number of messages.
        """
        first, last, number = shadow_log.recover(connection)
        connection.execute("set search_path = rebuild")
        self._read_side.fold(connection, first, last)
        return first, last, number

    def _swap(self, connection: Connection[Any]) -> None:
        def prepare() -> tuple[list[RebuildFinding], int]:
            failpoints.reach("rebuild.locked")
            *_, unexplained = self._catch_up_once(connection)
            *_, recovered = self._recover(connection)
            shadow_log.continue_positions(connection)
            shadow_log.show_webhooks(connection, self._recovered_from)
            return unexplained, recovered

        with self._progress.during("swap"):
            unexplained, recovered = swap(
                connection, self._tables, lambda: self._catch_up_and_report(connection), prepare
            )
            self.result.recovered += recovered
            self._leave_out(unexplained)

    def _complete(self, connection: Connection[Any]) -> None:
        self.result.events, self.result.messages = self._progress.events, self._progress.messages
        self.result.seconds = time.monotonic() - self._started
        failpoints.reach("rebuild.swapped")
        history.add(connection, self.result)
        failpoints.reach("rebuild.recorded")

    def _report(self, findings: Iterable[RebuildFinding]) -> int:
        number = 0
        for finding in findings:
            number += 1
            self._progress.findings += 1
            self._report_finding(finding)
        self.result.findings += number
        return number
