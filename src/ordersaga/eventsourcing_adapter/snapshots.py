"""SnapshotRecorder: the snapshots of an application of the eventsourcing library."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from eventsourcing.persistence import StoredEvent
from eventsourcing.utils import resolve_topic

from ordersaga.eventsourcing_adapter.recorder import StreamRecorder, connected
from ordersaga.store.fingerprint import UNKNOWN, fingerprint

INSERT = """
insert into snapshots (originator_id, originator_version, topic, state, fingerprint, hash)
select taken.id, taken.version, taken.topic, taken.state, taken.fingerprint, stored_events.hash
from unnest(%s::uuid[], %s::bigint[], %s::text[], %s::bytea[], %s::text[])
    as taken (id, version, topic, state, fingerprint)
left join stored_events on originator_id = taken.id and originator_version = taken.version
"""
SELECT = """
select originator_id, originator_version, topic, state, fingerprint from snapshots
where originator_id = %(id)s and fingerprint <> '' and (%(gt)s::bigint is null or originator_version > %(gt)s)
    and (%(lte)s::bigint is null or originator_version <= %(lte)s)
order by originator_version {direction}
"""


class SnapshotRecorder(StreamRecorder):
    """Snapshots, each with the hash of the last event in it, and the fingerprint of the code that took it."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> None:
        """Raises IntegrityError when this code took a snapshot of this version before, or there is no such event."""
        rows = [
            (s.originator_id, s.originator_version, s.topic, s.state, self.fingerprint_of(s)) for s in stored_events
        ]
        taken = [row for row in rows if row[-1] != UNKNOWN]
        if taken:
            with connected(self.pool) as connection:
                connection.execute(INSERT, list(map(list, zip(*taken, strict=True))), prepare=True)

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> list[StoredEvent]:
        """The snapshots that this code took; those of other code are passed over."""
        found: list[StoredEvent] = []
        with connected(self.pool) as connection:
            statement = SELECT.format(direction="desc" if desc else "asc")
            rows = connection.execute(statement, {"id": originator_id, "gt": gt, "lte": lte}, prepare=True)
            for *columns, code in rows:
                if limit is not None and len(found) == limit:
                    break
                if self.fingerprint_of(stored := StoredEvent(*columns)) == code:
                    found.append(stored)
        return found

    def fingerprint_of(self, stored: StoredEvent) -> str:
        """Of the code of the aggregate in the snapshot."""
        snapshot: Any = self.mapper.to_domain_event(stored)
        return fingerprint(resolve_topic(snapshot.topic))
