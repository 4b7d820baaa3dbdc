"""The reach of a consumer group: since when it is to have received every message."""

from datetime import datetime
from typing import Any, NamedTuple

from psycopg import Connection

REACH = "select received_from, being_seeded from group_history"


class Reach(NamedTuple):
    """What the database of a group says of its history."""

    since: datetime | None = None
    """When the group was added, or from when on it was seeded; None: it has everything."""
    being_seeded: bool = False

    def includes(self, moment: datetime) -> bool:
        """Whether the group is to have a message that was announced then."""
        return not self.being_seeded and (self.since is None or moment >= self.since)


def reach_of(connection: Connection[Any]) -> Reach:
    """The reach of the group whose database this is."""
    row = connection.execute(REACH).fetchone()
    return Reach(*row) if row else Reach()
