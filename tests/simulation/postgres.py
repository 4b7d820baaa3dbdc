"""The model of one Postgres database: transactions, snapshots, versions of rows, advisory locks, and a crash."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

FIRST_XID = 3
MANY = 10
"""Versions of the rows of a table, after which dead ones are forgotten."""


class Snapshot(NamedTuple):
    """The transactions that were complete at one moment."""

    xmin: int
    xmax: int
    xip: frozenset[int]

    def sees(self, xid: int) -> bool:
        """As `pg_visible_in_snapshot`."""
        return xid < self.xmax and xid not in self.xip

    def __str__(self) -> str:
        return f"{self.xmin}:{self.xmax}:{','.join(map(str, sorted(self.xip)))}"


@lru_cache(4096)
def snapshot_of(text: str) -> Snapshot:
    xmin, xmax, xip = text.split(":")
    return Snapshot(int(xmin), int(xmax), frozenset(map(int, filter(None, xip.split(",")))))


@dataclass(slots=True, eq=False)
class Version:
    """One version of a row: the transaction that made it, and the one that deleted or replaced it."""

    row: Any
    xmin: int
    xmax: int | None = None


class Blocked(Exception):
    """A statement waits for another transaction; it has changed nothing."""

    def __init__(self, is_over: Callable[[], bool]) -> None:
        super().__init__()
        self.is_over = is_over


@dataclass(eq=False)
class Transaction:
    """What one session has open; without `is_explicit` it ends with its statement."""

    xid: int | None = None
    is_explicit: bool = False
    locks: list[tuple[int, int]] = field(default_factory=list)


class Postgres:
    """A database, and the server that gives it transaction ids."""

    def __init__(self) -> None:
        self.next_xid = FIRST_XID + 97
        self.running: set[int] = set()
        self.latest_completed = self.next_xid - 1
        self.aborted: set[int] = set()
        self.tables: dict[str, list[Version]] = {}
        self.sequences: dict[str, int] = {}
        self.sessions: list[Backend] = []
        self.locks: dict[tuple[int, int], Backend] = {}
        self.rung = 0
        """Notifications so far."""
        self.on_statement: list[Callable[[str], None]] = []
        self._unflushed: list[int] = []
        """Transactions that were committed and would be lost by a crash, in the order of their commits."""
        self._flushed_xid = self.latest_completed

    def open(self, flushes: bool = True, owner: str = "") -> "Backend":
        """Begin a session."""
        return Backend(self, flushes, owner)

    def new_xid(self) -> int:
        xid = self.next_xid
        self.next_xid += 1
        self.running.add(xid)
        return xid

    def snapshot(self) -> Snapshot:
        """As `pg_current_snapshot()`: `xmax` is behind the last transaction that has ended, not behind the last one
        that has begun."""
        xmax = self.latest_completed + 1
        xip = frozenset(xid for xid in self.running if xid < xmax)
        return Snapshot(min(xip, default=xmax), xmax, xip)

    def is_committed(self, xid: int) -> bool:
        return xid not in self.running and xid not in self.aborted

    def complete(self, xid: int, commits: bool, flushes: bool) -> None:
        self.running.discard(xid)
        self.latest_completed = max(self.latest_completed, xid)
        if not commits:
            self.aborted.add(xid)
        elif flushes:
            self.flush()
        else:
            self._unflushed.append(xid)

    def flush(self) -> None:
        """Write the log to the disk: what was committed until now survives a crash."""
        self._unflushed.clear()
        self._flushed_xid = self.next_xid - 1

    def next_value(self, sequence: str) -> int:
        """The next number; one that a rolled-back transaction took does not come again."""
        value = self.sequences[sequence] = self.sequences.get(sequence, 0) + 1
        return value

    def stranger(self) -> None:
        """A transaction of another database of the server begins and ends."""
        self.complete(self.new_xid(), commits=False, flushes=False)

    def committed(self, table: str) -> Iterator[Any]:
        """The rows that everybody sees."""
        for version in self.tables.get(table, ()):
            if self.is_committed(version.xmin) and (version.xmax is None or not self.is_committed(version.xmax)):
                yield version.row

    def vacuum(self, table: str) -> None:
        """Forget the versions that nobody sees, not even after a crash."""
        self.tables[table] = [
            version
            for version in self.tables[table]
            if version.xmax is None or version.xmax in self._unflushed or not self.is_committed(version.xmax)
        ]

    def crash(self, lost: int) -> None:
        """End every session, and lose the last so many commits that did not wait for the disk."""
        for session in list(self.sessions):
            session.close()
        lost_xids = set(self._unflushed[len(self._unflushed) - lost :] if lost else ())
        gone = self.aborted | lost_xids
        for table, versions in self.tables.items():
            kept = [version for version in versions if version.xmin not in gone]
            for version in kept:
                version.xmax = None if version.xmax in gone else version.xmax
            self.tables[table] = kept
        survivors = set(self._unflushed) - lost_xids
        # The server counts on from the last id in its log: it gives out again those that only the lost part names.
        self.next_xid = max({self._flushed_xid, *survivors}) + 1
        self.aborted = {xid for xid in gone if xid < self.next_xid}
        self.latest_completed = self.next_xid - 1
        self.sequences = {name: value + 32 for name, value in self.sequences.items()}
        self.flush()


class Backend:
    """One session on the server."""

    def __init__(self, postgres: Postgres, flushes: bool = True, owner: str = "") -> None:
        """`flushes` is synchronous_commit, `owner` the process that has opened it."""
        self.postgres = postgres
        self.owner = owner
        self.flushes = flushes
        self.is_lost = False
        self.transaction = Transaction()
        self.locks: list[tuple[int, int]] = []
        self.heard = postgres.rung
        postgres.sessions.append(self)

    @property
    def xid(self) -> int:
        """As `pg_current_xact_id()`: the first use takes one."""
        if self.transaction.xid is None:
            self.transaction.xid = self.postgres.new_xid()
        return self.transaction.xid

    def begin(self) -> None:
        self.transaction.is_explicit = True

    def answered(self, query: str | bytes, parameters: Any, rows: list[Any]) -> list[Any]:
        """What the session reads when a statement has these rows."""
        return rows

    def end_statement(self) -> None:
        if not self.transaction.is_explicit:
            self.end(commits=True)

    def end(self, commits: bool) -> None:
        """Commit or roll back."""
        ended, self.transaction = self.transaction, Transaction()
        if ended.xid is not None:
            self.postgres.complete(ended.xid, commits, self.flushes)
        for lock in ended.locks:
            del self.postgres.locks[lock]

    def close(self) -> None:
        """End the session; its open transaction is rolled back."""
        self.end(commits=False)
        self.is_lost = True
        for lock in self.locks:
            del self.postgres.locks[lock]
        self.locks.clear()
        if self in self.postgres.sessions:
            self.postgres.sessions.remove(self)

    def sees(self, version: Version) -> bool:
        return self._has_happened(version.xmin) and (version.xmax is None or not self._has_happened(version.xmax))

    def _has_happened(self, xid: int) -> bool:
        return xid == self.transaction.xid or self.postgres.is_committed(xid)

    def versions(self, table: str) -> list[Version]:
        """What this session sees now."""
        return [version for version in self.postgres.tables.get(table, ()) if self.sees(version)]

    def rows(self, table: str) -> list[Any]:
        return [version.row for version in self.versions(table)]

    def insert(self, table: str, row: Any) -> None:
        versions = self.postgres.tables.setdefault(table, [])
        versions.append(Version(row, self.xid))
        if len(versions) % MANY == 0:
            self.postgres.vacuum(table)

    def require_free(self, table: str, is_same: Callable[[Any], bool]) -> bool:
        """Whether no row of a table has the key of a new one. Raises Blocked while another transaction inserts it."""
        for version in self.postgres.tables.get(table, ()):
            if is_same(version.row):
                self._await_end(version.xmin)
                if version.xmax is not None:
                    self._await_end(version.xmax)
        return not any(is_same(row) for row in self.rows(table))

    def delete(self, version: Version) -> None:
        """Delete a row. Raises Blocked while another transaction has changed it."""
        if version.xmax is not None:
            self._await_end(version.xmax)
        version.xmax = self.xid

    def update(self, table: str, version: Version, row: Any) -> None:
        self.delete(version)
        self.insert(table, row)

    def _await_end(self, xid: int) -> None:
        if xid in self.postgres.running and xid != self.transaction.xid:
            raise Blocked(lambda: xid not in self.postgres.running)

    def try_lock(self, lock: tuple[int, int]) -> bool:
        """Take an advisory lock until the session ends."""
        if self.postgres.locks.get(lock, self) is not self:
            return False
        if lock not in self.locks:
            self.postgres.locks[lock] = self
            self.locks.append(lock)
        return True

    def lock(self, lock: tuple[int, int]) -> None:
        """Take an advisory lock until the transaction ends. Raises Blocked while another transaction has it."""
        holder = self.postgres.locks.get(lock, self)
        if holder is not self:
            raise Blocked(lambda: lock not in self.postgres.locks)
        if lock not in self.postgres.locks:
            self.postgres.locks[lock] = self
            self.transaction.locks.append(lock)

    def notify(self) -> None:
        self.postgres.rung += 1
