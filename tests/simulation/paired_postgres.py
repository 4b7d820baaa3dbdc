"""A model of Postgres that does everything on a real one too, and fails where the two differ."""

from collections.abc import Sequence
from typing import Any

import psycopg

from ordersaga.relay import detached, purge, undeliverable, window
from tests.simulation.postgres import Backend, Postgres, snapshot_of
from tests.simulation.rows import OutboxRow
from tests.simulation.world import current
from tests.support.databases import Database

OUR_CLOCK = """
create schema simulated;
create function simulated.now() returns timestamptz language sql as
    $$ select to_timestamp(current_setting('simulated.now')::float) $$;
create function simulated.random() returns float language sql as $$ select 0.0::float $$;
grant usage on schema simulated to public;
"""
"""The statements of the product say `now()` and `random()`: these come first in the search path."""
SETTINGS = "set search_path = simulated, public, pg_catalog; set statement_timeout = '5s'"
EMPTY = "truncate outbox, relay_cursor, undeliverable, detached_queues restart identity"
INSERT = """
insert into outbox (message_id, contract, source, key, sequence, time, event_hash, correlation_id, causation_id, actor,
    traceparent, tracestate, body)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) returning position, xid::text
"""
SNAPSHOTS = {
    window.LOAD: (0, 1),
    window.LOOK: (0,),
    window.SAVE_AND_LOOK: (0,),
    detached.CURSOR: (0, 1),
}
"""Columns that are snapshots: two of them may differ in transactions that wrote no message."""

UNORDERED = (undeliverable.COUNTS, undeliverable.DELIVERED, undeliverable.NEVER_SENT, detached.PASSED)
"""Statements that ask for no order of their rows."""


class Differs(AssertionError):
    """The model and the real server do not do the same."""


class PairedPostgres(Postgres):
    """One real database for schedule after schedule."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.database = database
        self._owner = psycopg.connect(database.owner_url, autocommit=True)
        if self._owner.execute("select to_regnamespace('simulated')").fetchone() == (None,):
            self._owner.execute(OUR_CLOCK)
        self._owner.execute(EMPTY)
        self.next_xid = self.owner_xid() + 1
        self.latest_completed = self.next_xid - 1
        self.compared = 0
        """Answers so far."""

    def owner_xid(self) -> int:
        """A transaction of the server that begins and ends."""
        row = self._owner.execute("select pg_current_xact_id()::text").fetchone()
        assert row
        return int(row[0])

    def open(self, flushes: bool = True, owner: str = "") -> "PairedBackend":
        return PairedBackend(self, flushes, owner)

    def adopt(self, xid: int) -> None:
        """A real transaction has begun."""
        if xid < self.next_xid and xid in self.writers_xids:
            raise Differs(f"the server gives out transaction id {xid} twice")
        self.next_xid = max(self.next_xid, xid + 1)
        self.running.add(xid)

    @property
    def writers_xids(self) -> set[int]:
        return {version.xmin for version in self.tables.get("outbox", ())}

    def stranger(self) -> None:
        xid = self.owner_xid()
        self.adopt(xid)
        self.complete(xid, commits=False, flushes=False)

    def end_real_session(self, pid: int) -> None:
        """Wait until it is gone, with its locks."""
        self._owner.execute("select pg_terminate_backend(%s, 5000)", (pid,))

    def close(self) -> None:
        for session in list(self.sessions):
            session.close()
        self._owner.close()


class PairedBackend(Backend):
    """A session of each."""

    postgres: PairedPostgres

    def __init__(self, postgres: PairedPostgres, flushes: bool, owner: str) -> None:
        super().__init__(postgres, flushes, owner)
        url = postgres.database.relay_url if owner else postgres.database.url
        self.real = psycopg.connect(url, autocommit=True)
        self.real.execute(SETTINGS)

    @property
    def xid(self) -> int:
        if self.transaction.xid is None and self.transaction.is_explicit:
            row = self.real.execute("select pg_current_xact_id()::text").fetchone()
            assert row
            self.postgres.adopt(int(row[0]))
            self.transaction.xid = int(row[0])
        return super().xid

    def begin(self) -> None:
        if not self.transaction.is_explicit:
            self.real.execute("begin")
        super().begin()

    def end(self, commits: bool) -> None:
        if self.transaction.is_explicit and not self.real.closed:
            self.real.execute("commit" if commits else "rollback")
        super().end(commits)

    def close(self) -> None:
        pid = self.real.info.backend_pid
        super().close()
        self.real.close()
        self.postgres.end_real_session(pid)

    def insert(self, table: str, row: Any) -> None:
        super().insert(table, row)
        if isinstance(row, OutboxRow):
            found = self.real.execute(INSERT, row.columns).fetchone()
            if found != (row.position, str(row.xid)):
                raise Differs(f"a row has position and transaction {found}, not {row.position} and {row.xid}")

    def answered(self, query: str | bytes, parameters: Any, rows: list[Any]) -> list[Any]:
        """The answer of the real server; raises Differs unless it is that of the model."""
        self.real.execute("select set_config('simulated.now', %s, false)", (str(current().now),))
        cursor = self.real.execute(query, parameters)
        real = cursor.fetchall() if cursor.description else []
        columns = SNAPSHOTS.get(str(query), ())
        if query == purge.PURGE:
            return rows
        self.postgres.compared += 1
        ours = [self._comparable(row, columns) for row in rows]
        theirs = [self._comparable(row, columns) for row in real]
        if query == detached.LOAD:
            ours, theirs = [row[:3] for row in ours], [row[:3] for row in theirs]
        if query in UNORDERED:
            ours, theirs = sorted(ours), sorted(theirs)
        if ours != theirs:
            raise Differs(f"{query!r} with {parameters}\nmodel: {ours}\nserver: {theirs}")
        return rows if query == detached.LOAD else real

    def _comparable(self, row: Sequence[Any], snapshots: Sequence[int]) -> list[Any]:
        return [self._seen_by(value) if number in snapshots else value for number, value in enumerate(row)]

    def _seen_by(self, snapshot: str | None) -> set[int] | None:
        """The transactions with messages that a snapshot sees."""
        if snapshot is None:
            return None
        return {xid for xid in self.postgres.writers_xids if snapshot_of(snapshot).sees(xid)}
