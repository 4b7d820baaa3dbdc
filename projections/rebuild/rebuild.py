"""The whole of it: derive, load, fold, compare, catch up, swap; the live tables change in the last moment alone."""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any

import psycopg
from psycopg import Connection

from projections import event_log
from projections.event_log import READ_SIDE
from projections.rebuild import comparison, log, session, shadow, stores
from projections.rebuild.beside import Beside
from projections.rebuild.derivation import derive
from projections.rebuild.derivers import derive_all, tasks
from projections.rebuild.findings import Finding
from projections.rebuild.history import remember
from projections.rebuild.progress import Progress
from projections.rebuild.result import Result
from projections.rebuild.swap import clear_away, put_in_place, refuse_followers
from projections.views.fold import VIEWS, fold

LOG = "event_log"
TABLES = (LOG, *VIEWS)
PATIENCE = 10.0
"""Seconds that a message may be under way before it counts as lost."""
LOOK_EVERY = 0.1
FEW = 1000
"""Messages that can be added while everybody waits; more are added before."""
SMALL = 1000
"""New messages of a round after which the rest is left for the last moment."""
ROUNDS = 20


@dataclass(frozen=True)
class Reached:
    """How far the shadow is."""

    end: int
    """The last position of the live log that it has."""
    snapshots: Mapping[str, str]
    """What of each store is derived."""


class Rebuild:
    """One rebuild; `urls` are those of the owners of the read side's database and of the stores."""

    def __init__(
        self,
        urls: Mapping[str, str],
        report: Callable[[Finding], None],
        *,
        dry_run: bool = False,
        keep: bool = False,
        patience: float = PATIENCE,
        progress: Progress | None = None,
    ) -> None:
        self._urls = {name: url for name, url in urls.items() if name != READ_SIDE}
        self._target = urls[READ_SIDE]
        self._tell = report
        self._keep = keep
        self._patience = patience
        self._progress = progress or Progress()
        self._derived = f"derived_{token_hex(4)}"
        self._stores: dict[str, Connection[Any]] = {}
        self._started = time.monotonic()
        self.result = Result(datetime.now(UTC), None, dry_run)

    def run(self) -> Result:
        """Raises Refused when it cannot be done. Whatever happens, the live tables are whole."""
        with session.only_one(self._target) as connection:
            try:
                self._run(connection)
            except BaseException:
                connection.close()
                self._leave_nothing()
                raise
            shadow.drop(connection)
        return self.result

    def _leave_nothing(self) -> None:
        """On another connection: that of an interrupted rebuild may be in the middle of a transaction."""
        with suppress(session.Refused, psycopg.Error), session.only_one(self._target) as connection:
            shadow.drop(connection)

    def _run(self, connection: Connection[Any]) -> None:
        if not self.result.dry_run:
            refuse_followers(connection, TABLES)
        shadow.begin(connection)
        with self._progress.during("freeze"):
            self._reached = Reached(log.freeze(connection, list(VIEWS)), {})
        with ExitStack() as opened:
            for service, url in self._urls.items():
                self._stores[service] = opened.enter_context(stores.open_store(url))
            self._derive(connection)
            self._load(connection)
            self._compare(connection)
            self._await_what_is_under_way(connection)
            if not self.result.dry_run:
                self._catch_up(connection)
                self._swap(connection)
            self._end_of(connection)
            if not (self.result.dry_run or self._keep or self.result.left_out):
                clear_away(connection)

    def _derive(self, connection: Connection[Any]) -> None:
        log.make_derived(connection, self._derived)
        moments = {service: stores.take_moment(store) for service, store in self._stores.items()}
        snapshots = {service: moment.snapshot for service, moment in moments.items()}
        self._reached = replace(self._reached, snapshots=snapshots)
        self._progress.begin("derive", sum(moment.last_position for moment in moments.values()))
        derive_all(self._urls, self._target, self._derived, tasks(moments), self._progress.advance)
        for store in self._stores.values():
            store.rollback()

    def _load(self, connection: Connection[Any]) -> None:
        shadow.make(connection, TABLES)
        shadow.add_keys(connection, list(VIEWS))
        with self._progress.during("load"):
            connection.execute(f"analyze rebuild.{self._derived}".encode())
            log.load(connection, self._derived, self._reached.end)
        with session.connect(self._target) as other:
            indexing = Beside(lambda: shadow.finish(other, [LOG]))
            self._progress.begin("fold", len(VIEWS))
            connection.execute("set search_path = rebuild")
            for view in VIEWS:
                fold(connection, 0, self._reached.end, [view])
                self._progress.advance()
            with self._progress.during("index"):
                shadow.finish(connection, list(VIEWS))
                indexing.end()
        log.keep_pending(connection, self._derived)
        connection.execute(f"truncate rebuild.{self._derived}".encode())

    def _compare(self, connection: Connection[Any]) -> None:
        self._progress.begin("compare", len(TABLES) + 1)
        for view in VIEWS:
            self._report(comparison.view(connection, view))
            self._progress.advance()
        self._report(comparison.altered(connection, self._reached.end))
        self._progress.advance()
        self._leave_out(comparison.unexplained(connection, 0, self._reached.end))
        self._progress.advance()

    def _leave_out(self, unexplained: Iterable[Finding]) -> None:
        self.result.left_out += self._report(unexplained)

    def _await_what_is_under_way(self, connection: Connection[Any]) -> None:
        """What was announced before the rebuild began has its time to arrive; what has not by then is lost."""
        self._catch_up_and_report(connection)
        while log.lost(connection) and time.monotonic() < self._started + self._patience:
            time.sleep(LOOK_EVERY)
            self._catch_up_and_report(connection)
        self._report(comparison.lost(connection))

    def _catch_up(self, connection: Connection[Any]) -> None:
        with self._progress.during("catch up"):
            if log.lost(connection) > FEW:
                with connection.transaction():
                    event_log.lock(connection)
                    self._catch_up_and_report(connection)
                    last, recovered = self._adopt(connection)
                self._reached = replace(self._reached, end=max(self._reached.end, last))
                self.result.recovered += recovered
            for _ in range(ROUNDS):
                if self._catch_up_and_report(connection) < SMALL:
                    return

    def _catch_up_and_report(self, connection: Connection[Any]) -> int:
        self._reached, new, unexplained = self._catch_up_once(connection)
        self._leave_out(unexplained)
        return new

    def _catch_up_once(self, connection: Connection[Any]) -> tuple[Reached, int, list[Finding]]:
        """Bring the shadow to where the live log is: how many messages the stores had more, and what they had not.

        Keeps nothing: within a swap that fails it is undone.
        """
        before = self._reached
        end = max(before.end, log.end(connection))
        snapshots, new = {}, 0
        for service, store in self._stores.items():
            with store.transaction():
                snapshots[service] = stores.take_moment(store).snapshot
                events = stores.since(store, before.snapshots[service])
                new += derive(connection, self._derived, service, events)[1]
        log.add_pending(connection, self._derived)
        log.move(connection, before.end, end)
        connection.execute("set search_path = rebuild")
        fold(connection, before.end + 1, end)
        return Reached(end, snapshots), new, list(comparison.unexplained(connection, before.end, end))

    def _adopt(self, connection: Connection[Any]) -> tuple[int, int]:
        """Add what was lost, where the shadow has caught up and nobody else gives positions: it comes behind all.

        Returns the last position, 0 when nothing was lost after all, and how many messages were recovered.
        """
        first, last, number = log.adopt(connection)
        connection.execute("set search_path = rebuild")
        fold(connection, first, last)
        return last, number

    def _swap(self, connection: Connection[Any]) -> None:
        def prepare() -> tuple[list[Finding], int]:
            *_, unexplained = self._catch_up_once(connection)
            _, recovered = self._adopt(connection)
            log.continue_positions(connection)
            return unexplained, recovered

        with self._progress.during("swap"):
            unexplained, recovered = put_in_place(
                connection, TABLES, lambda: self._catch_up_and_report(connection), prepare
            )
            self.result.recovered += recovered
            self._leave_out(unexplained)

    def _end_of(self, connection: Connection[Any]) -> None:
        self.result.events, self.result.messages = self._progress.events, self._progress.messages
        self.result.seconds = time.monotonic() - self._started
        remember(connection, self.result)

    def _report(self, findings: Iterable[Finding]) -> int:
        number = 0
        for finding in findings:
            number += 1
            self._progress.findings += 1
            self._tell(finding)
        self.result.findings += number
        return number
