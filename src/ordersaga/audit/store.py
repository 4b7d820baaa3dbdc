"""The audit's statements on an event store: windows between snapshots, events by position or name."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from eventsourcing.persistence import StoredEvent
from psycopg import Connection

from ordersaga.audit.checkpoint import Snapshot
from ordersaga.audit.leaf import Leaf, microseconds
from ordersaga.database.snapshot_window import window_of
from ordersaga.envelope.message import Cause
from ordersaga.runtime.errors import Unavailable
from ordersaga.store.hash_chain import chain

PAGE = 1000


class EventRow(NamedTuple):
    """A row of stored_events; a superuser may have put anything into it."""

    originator_id: UUID
    version: int
    topic: str
    state: bytes
    position: int
    xid: int
    recorded_at: int
    """Microseconds since 1970."""
    correlation_id: UUID | None
    causation_id: UUID | None
    actor: str
    hash: bytes

    @classmethod
    def of(cls, row: tuple[Any, ...]) -> "EventRow":
        """From a row of COLUMNS."""
        id_, version, topic, state, position, xid, sent, *rest = row
        recorded_at = int.from_bytes(sent, signed=True) + YEAR_2000
        return cls(id_, version, topic, state, position, int(xid), recorded_at, *rest)

    @property
    def leaf(self) -> Leaf:
        """The leaf that the sealer makes of it."""
        return Leaf(self.originator_id, self.version, self.topic, self.hash, self.recorded_at, self.position, self.xid)

    def hash_after(self, previous: bytes) -> bytes:
        """The chain hash that this event must have behind an event with the hash `previous`."""
        # An event recorded without a correlation is chained with the word None, like any other text.
        correlation: Any = self.correlation_id
        stored = StoredEvent(self.originator_id, self.version, self.topic, self.state)
        return chain(previous, stored, Cause(correlation, self.causation_id, self.actor))


class ClocksDiffer(Unavailable):
    """The clock of this process and that of the server, which times the events, differ; the message says how much."""


class ServerMoment(NamedTuple):
    """The server's system identifier with its timeline, and its current snapshot.

    A server that was promoted or restored to a moment has another timeline, and gives transaction ids again.
    """

    server: str
    snapshot: Snapshot


# xid and recorded_at in forms that always parse: an xid8 may exceed bigint, a time may exceed datetime.
COLUMNS = """originator_id, originator_version, topic, state, position, xid::text, timestamptz_send(recorded_at),
    correlation_id, causation_id, actor, hash"""
YEAR_2000 = microseconds(datetime(2000, 1, 1, tzinfo=UTC))
"""The epoch of Postgres' binary timestamps, in microseconds since 1970."""
MOMENT = """
select system_identifier || case when pg_is_in_recovery() then '' else '/' || ltrim(left(pg_walfile_name(
    pg_current_wal_lsn()), 8), '0') end, pg_current_snapshot()::text, extract(epoch from clock_timestamp())::float8
from pg_control_system()
"""
CLOCK_TOLERANCE = timedelta(minutes=1)
"""A fifth of what a verification allows between the time of an event and that of a checkpoint."""
WINDOW = window_of("stored_events")
AT = f"select {COLUMNS} from stored_events where position = any(%s) order by position"  # noqa: S608
NAMED = f"""
select {COLUMNS} from unnest(%s::uuid[], %s::bigint[]) as wanted (id, version)
join stored_events on originator_id = id and originator_version = version
"""  # noqa: S608
ALL = "select position from stored_events order by position"
SETTINGS = """
select set_config('plan_cache_mode', 'force_custom_plan', false),
       set_config('enable_seqscan', 'off', false), set_config('jit', 'off', false)
"""


def prepare(connection: Connection[Any]) -> None:
    """Make the planner use indexes: a window has few rows, whatever the statistics say."""
    connection.execute(SETTINGS)


def moment(connection: Connection[Any]) -> ServerMoment:
    """The server and its current snapshot.

    Raises ClocksDiffer: a checkpoint with such a time would make later events look as if they were inserted.
    """
    asked = datetime.now(UTC)
    row = connection.execute(MOMENT).fetchone()
    assert row is not None
    compare_clocks(asked, row[2], datetime.now(UTC))
    return ServerMoment(row[0], Snapshot(row[1]))


def compare_clocks(asked: datetime, server: float, answered: datetime) -> None:
    """`server` is its clock, in seconds since 1970, at some time between the other two."""
    ahead = max(asked.timestamp() - server, 0) or min(answered.timestamp() - server, 0)
    if abs(ahead) > CLOCK_TOLERANCE.total_seconds():
        which = "ahead of" if ahead > 0 else "behind"
        raise ClocksDiffer(
            f"the clock of this process is {timedelta(seconds=abs(round(ahead)))} {which} that of the database. "
            "Set both by the same time service"
        )


def window(connection: Connection[Any], sealed: Snapshot) -> tuple[Snapshot, list[int]]:
    """The current snapshot, and the positions that became visible since `sealed`, in order."""
    row = connection.execute(WINDOW, {"since": sealed.text, "until": None}, binary=True).fetchone()
    assert row is not None
    return Snapshot(row[0]), row[1]


def events_at(connection: Connection[Any], positions: Sequence[int]) -> list[EventRow]:
    """The events at these positions, in order; missing ones are left out."""
    rows = connection.execute(AT, (list(positions),), binary=True)
    return [EventRow.of(row) for row in rows]


def events_named(connection: Connection[Any], names: Sequence[tuple[UUID, int]]) -> list[EventRow]:
    """The events of these streams and versions; missing ones are left out."""
    ids, versions = [id_ for id_, _ in names], [version for _, version in names]
    return [EventRow.of(row) for row in connection.execute(NAMED, (ids, versions), binary=True)]


def positions(connection: Connection[Any]) -> Iterator[int]:
    """The positions of all events, through a server-side cursor; the connection must be in a transaction."""
    with connection.cursor("audit_positions", binary=True) as cursor:
        cursor.itersize = 10 * PAGE
        for (position,) in cursor.execute(ALL):
            yield position
