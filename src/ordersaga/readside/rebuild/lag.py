"""The lag of the event log behind the outboxes of its sources."""

from datetime import datetime
from typing import Any, NamedTuple

from psycopg import Connection

from ordersaga.database.readable_time import READABLE_TIME

PAGE = 2000
MAX_PAGES = 50
NEWEST = f"""
select position, message_id, {READABLE_TIME} from outbox
where %(before)s::bigint is null or position < %(before)s order by position desc limit %(limit)s
"""  # noqa: S608 - a constant
UNKNOWN = """
select id from unnest(%(ids)s::uuid[]) as announced (id)
where not exists (select from event_log where message_id = id) and not exists (select from inbox where message_id = id)
"""


class EventLogLag(NamedTuple):
    """Messages of one source that the log lacks, counted back from the newest to the first page that lacks none."""

    source: str
    messages: int
    oldest: datetime | None
    at_least: bool
    """Whether there may be more: the count stops after a hundred thousand."""


def lag(source: str, outbox: Connection[Any], log: Connection[Any]) -> EventLogLag:
    """Count the messages of `outbox` that `log` lacks. Each page of the outbox is read before the log is."""
    messages, oldest, before = 0, None, None
    for _ in range(MAX_PAGES):
        page = outbox.execute(NEWEST, {"before": before, "limit": PAGE}).fetchall()
        times = {id_: time for _, id_, time in page}
        unknown = [id_ for (id_,) in log.execute(UNKNOWN, {"ids": list(times)})]
        messages += len(unknown)
        oldest = min([times[id_] for id_ in unknown], default=oldest)
        if len(page) < PAGE or not unknown:
            return EventLogLag(source, messages, oldest, False)
        before = page[-1][0]
    return EventLogLag(source, messages, oldest, True)
