"""The snapshots of a store: how many this code uses or ignores, and how to drop them."""

from collections.abc import Iterable
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Connection


class SnapshotCount(NamedTuple):
    """The snapshots that the code uses, and those that other code took, which it ignores."""

    used: int
    ignored: int


COUNT = """
select count(*) filter (where fingerprint = any(%(code)s::text[])),
    count(*) filter (where fingerprint <> all(%(code)s::text[]))
from snapshots where %(aggregate)s::uuid is null or originator_id = %(aggregate)s
"""


def count(connection: Connection[Any], code: Iterable[str], aggregate: UUID | None = None) -> SnapshotCount:
    """The snapshots of all aggregates, or of one; `code` has the fingerprints of the code."""
    row = connection.execute(COUNT, {"code": list(code), "aggregate": aggregate}).fetchone()
    assert row is not None
    return SnapshotCount(*row)


DROP = """
delete from snapshots
where (%(aggregate)s::uuid is null or originator_id = %(aggregate)s)
    and (%(code)s::text[] is null or fingerprint <> all(%(code)s::text[]))
"""


def drop(connection: Connection[Any], aggregate: UUID | None = None, but: Iterable[str] | None = None) -> int:
    """Delete the snapshots of all aggregates, or of one, except those of the code with these fingerprints.

    Returns how many were deleted. The next load of an aggregate replays its events; its next change takes a snapshot.
    Only the owner of the database may delete them.
    """
    wanted = {"aggregate": aggregate, "code": None if but is None else list(but)}
    return connection.execute(DROP, wanted).rowcount
