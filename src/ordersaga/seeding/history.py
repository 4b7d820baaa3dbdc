"""MessageHistory: the messages of one service, in the order in which it announced them, read window by window.

Each page is a transaction of its own. That misses nothing, because events are append-only: the next window begins with
the rows that the pages before could not see, because they were committed late.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from psycopg import Connection

from ordersaga.database.readable_time import READABLE_TIME
from ordersaga.database.snapshot_window import EMPTY_SNAPSHOT, unseen
from ordersaga.envelope import message as envelope
from ordersaga.envelope.message import Message
from ordersaga.seeding.sources import SeedingSource
from ordersaga.store.republish import messages
from ordersaga.store.topics import UNREADABLE, registered

ROWS = 500
"""Of one page; reading it takes a fraction of a second, after which locks are kept and progress is shown."""
LONG_AGO = datetime(1, 1, 3, tzinfo=UTC)

CLOCK = "select pg_current_snapshot()::text, coalesce(max(position), 0), clock_timestamp() from {table}"
OURS = "xid < pg_snapshot_xmax(pg_current_snapshot())"
"""Rows that were restored from another server may have ids of its transactions."""


class Dated(NamedTuple):
    """A message, and the time by which it is merged with those of other services."""

    message: Message
    moment: datetime
    """When it was recorded, or the message of the same service before it if that was later."""


class Queries(NamedTuple):
    """The SQL of one table."""

    window: str
    page: str
    late: str


def queries(table: str, columns: str, moment: str, condition: str = "true") -> Queries:
    """Columns of a row: position, whether it is from after the window's snapshot, time, and those named."""
    committed_late = f"{OURS} and not pg_visible_in_snapshot(xid, %(snapshot)s)"
    page = f"""select position, {committed_late}, {moment}, {columns} from {table}
    where position > %(read)s and position <= %(last)s and {condition} order by position limit {ROWS}"""  # noqa: S608
    seen = f"position <= %(read)s and position <> all(%(early)s::bigint[]) and {OURS} and {condition}"
    late = unseen(f"position, true as late, {moment} as moment, {columns}", table, seen=seen)
    return Queries(CLOCK.format(table=table), page, f"select * from ({late}) as late order by position")  # noqa: S608


EVENTS = queries(
    "stored_events",
    "originator_id, originator_version, topic, state, hash, correlation_id, causation_id, actor",
    "recorded_at",
)
ANNOUNCED = queries(
    "outbox",
    ", ".join(READABLE_TIME + " as time" if name == "time" else name for name in envelope.COLUMNS),
    READABLE_TIME,
    "contract = any(%(contracts)s)",
)


class MessageHistory:
    """The messages that a group receives from one table of one service.

    Args:
        store: a connection in autocommit.
        messages_of: row without position and times -> its messages.
        since: leave out what was recorded earlier.
    """

    def __init__(
        self,
        store: Connection[Any],
        queries: Queries,
        messages_of: Callable[[tuple[Any, ...]], Iterable[Message]],
        contracts: Iterable[str],
        since: datetime | None,
    ) -> None:
        self.is_read = True
        """Whether every row of the window is read."""
        self.reached = LONG_AGO
        """No message that comes later has an earlier time."""
        self.position = self.last = 0
        """The position read so far, and that of the end of the window."""
        self.rows = 0
        """Read so far."""
        self._store = store
        self._queries = queries
        self._messages_of = messages_of
        self._contracts = list(contracts)
        self._since = since or LONG_AGO
        self._snapshot = EMPTY_SNAPSHOT
        self._before: str | None = None
        """The snapshot of the window before, until the rows are read that it did not see."""
        self._early: list[int] = []
        """Positions that were read although the snapshot does not see them."""

    def open_window(self) -> datetime:
        """Begin the window up to now. Returns the time by the clock of the server."""
        self._before = self._before or (self._snapshot if self.position else None)
        row = self._store.execute(self._queries.window).fetchone()
        assert row is not None
        self._snapshot, self.last, clock = row
        self.is_read = False
        return clock  # type: ignore[no-any-return]

    def page(self) -> list[Dated]:
        """The messages of the next rows of the window; empty when none of these rows is for the group."""
        late, self._before = self._before, None
        rows = self._late(late) if late else self._page()
        self.rows += len(rows)
        found = []
        for _, _, moment, *row in rows:
            self.reached = max(self.reached, moment)
            if moment >= self._since:
                found += [Dated(message, self.reached) for message in self._messages_of(tuple(row))]
        return found

    def _late(self, since: str) -> list[tuple[Any, ...]]:
        """The rows that the window before did not see, at positions that it has passed."""
        early, self._early = self._early, []
        return self._fetch(self._queries.late, since=since, early=early)

    def _page(self) -> list[tuple[Any, ...]]:
        rows = self._fetch(self._queries.page, snapshot=self._snapshot, last=self.last)
        self._early += [position for position, is_late, *_ in rows if is_late]
        self.is_read = len(rows) < ROWS
        self.position = self.last if self.is_read else rows[-1][0]
        return rows

    def _fetch(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        wanted = {**parameters, "read": self.position, "contracts": self._contracts}
        return self._store.execute(query.encode(), wanted, binary=True).fetchall()


def histories(
    source: SeedingSource,
    store: Connection[Any],
    since: datetime | None,
    unreadable: Callable[[str], None],
) -> list[MessageHistory]:
    """The histories of a source: of its events, and of what it announced without an event and still has."""
    found = []
    if source.of_events:
        derive = Derivation(source, unreadable)
        found.append(MessageHistory(store, EVENTS, derive.messages, source.of_events, since))
    if source.without_events:
        found.append(
            MessageHistory(store, ANNOUNCED, lambda row: [envelope.from_row(row)], source.without_events, since)
        )
    return found


class Derivation:
    """Derives from an event the messages that the group receives."""

    def __init__(self, source: SeedingSource, unreadable: Callable[[str], None]) -> None:
        """`unreadable` is called with a description of each event that cannot be announced."""
        self._announcements = source.announcements
        self._contracts = source.of_events
        self._unreadable = unreadable
        self._name = source.name
        self._concerns: dict[str, bool] = {}
        """By topic, whether its events may announce what the group receives; those of unknown topics may."""

    def messages(self, event: tuple[Any, ...]) -> list[Message]:
        """The same messages, with the same ids, as when the event was recorded, but for the trace."""
        id_, version, topic, *_ = event
        if topic not in self._concerns:
            known = registered(topic)
            self._concerns[topic] = known is None or not self._contracts.isdisjoint(
                self._announcements.announcing(known)
            )
        if not self._concerns[topic]:
            return []
        try:
            return [each for each in messages(self._announcements, *event) if each.contract in self._contracts]
        except UNREADABLE as error:
            self._unreadable(f"{topic}, version {version} of {id_} in {self._name}: {error!r}")
            return []
