"""What the auditor reads of an event store: windows between snapshots, and events by position."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from eventsourcing.persistence import StoredEvent
from psycopg import Connection

from ordersaga.database.snapshot_window import window_of
from ordersaga.envelope.message import Cause
from ordersaga.store.hash_chain import chain
from projections.audit.checkpoint import Snapshot
from projections.audit.leaf import Leaf, microseconds

PAGE = 1000


class Event(NamedTuple):
    """A row of stored_events, whatever a superuser has put into it."""

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
    def of(cls, row: tuple[Any, ...]) -> "Event":
        """Of COLUMNS."""
        id_, version, topic, state, position, xid, sent, *rest = row
        recorded_at = int.from_bytes(sent, signed=True) + YEAR_2000
        return cls(id_, version, topic, state, position, int(xid), recorded_at, *rest)

    @property
    def leaf(self) -> Leaf:
        return Leaf(self.originator_id, self.version, self.topic, self.hash, self.recorded_at, self.position, self.xid)

    def hash_after(self, previous: bytes) -> bytes:
        """What the hash must be behind an event with this one."""
        # An event recorded without a correlation is chained with the word None, like any other text.
        correlation: Any = self.correlation_id
        stored = StoredEvent(self.originator_id, self.version, self.topic, self.state)
        return chain(previous, stored, Cause(correlation, self.causation_id, self.actor))


class Moment(NamedTuple):
    """Which server this is, and what is committed on it now."""

    server: str
    snapshot: Snapshot


# Neither of the two fails to be read: an xid8 may be too large for bigint, a time too far away for Python.
COLUMNS = """originator_id, originator_version, topic, state, position, xid::text, timestamptz_send(recorded_at),
    correlation_id, causation_id, actor, hash"""
YEAR_2000 = microseconds(datetime(2000, 1, 1, tzinfo=UTC))
"""Since when Postgres counts the microseconds that it sends."""
MOMENT = "select system_identifier::text, pg_current_snapshot()::text from pg_control_system()"
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
    """Keep the planner from its guesses: a window is few rows, whatever the statistics say."""
    connection.execute(SETTINGS)


def moment(connection: Connection[Any]) -> Moment:
    row = connection.execute(MOMENT).fetchone()
    assert row is not None
    return Moment(row[0], Snapshot(row[1]))


def window(connection: Connection[Any], sealed: Snapshot) -> tuple[Snapshot, list[int]]:
    """What became visible since a snapshot, in the order of positions, and the snapshot that it was seen in."""
    row = connection.execute(WINDOW, {"since": sealed.text, "until": None}, binary=True).fetchone()
    assert row is not None
    return Snapshot(row[0]), row[1]


def events_at(connection: Connection[Any], positions: Sequence[int]) -> list[Event]:
    """Those that are there, in the order of positions."""
    rows = connection.execute(AT, (list(positions),), binary=True)
    return [Event.of(row) for row in rows]


def events_named(connection: Connection[Any], names: Sequence[tuple[UUID, int]]) -> list[Event]:
    """By stream and version, those that are there."""
    ids, versions = [id_ for id_, _ in names], [version for _, version in names]
    return [Event.of(row) for row in connection.execute(NAMED, (ids, versions), binary=True)]


def positions(connection: Connection[Any]) -> Iterator[int]:
    """Of all events, through a cursor on the server; the connection is in a transaction."""
    with connection.cursor("audit_positions", binary=True) as cursor:
        cursor.itersize = 10 * PAGE
        for (position,) in cursor.execute(ALL):
            yield position
