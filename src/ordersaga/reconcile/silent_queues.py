"""The queues that a relay publishes around: messages that they lack arrive once they answer."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from psycopg import Connection

from ordersaga.broker.topology import group_of
from ordersaga.envelope.message import partition_of

SILENT = "select queue, partitions, since from detached_queues where audience = 'queue' order by queue"


class SilentQueue(NamedTuple):
    """A queue that gives no answer."""

    queue: str
    partitions: list[int]
    since: datetime

    def lacks(self, group: str, key: str | None) -> bool:
        """Whether messages of this key for this group wait for it."""
        return group_of(self.queue) == group and key is not None and partition_of(key) in self.partitions

    def __str__(self) -> str:
        return f"queue {self.queue} gives no answer since {self.since:%Y-%m-%d %H:%M:%S %z}"


def silent_queues(connection: Connection[Any]) -> Iterator[SilentQueue]:
    """The silent queues of the relay of this database."""
    return (SilentQueue(*row) for row in connection.execute(SILENT))
