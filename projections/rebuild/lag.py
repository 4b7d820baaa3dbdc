"""How far the event log is behind the outboxes of the services."""

from datetime import datetime
from typing import Any, NamedTuple

from psycopg import Connection

PAGE = 2000
MOST_PAGES = 50
NEWEST = """
select position, message_id, time from outbox
where %(before)s::bigint is null or position < %(before)s order by position desc limit %(limit)s
"""
UNKNOWN = """
select id from unnest(%(ids)s::uuid[]) as announced (id)
where not exists (select from event_log where message_id = id) and not exists (select from inbox where message_id = id)
"""


class Lag(NamedTuple):
    """Messages of one service that the log lacks, counted back from the newest up to a page that it has whole."""

    source: str
    messages: int
    oldest: datetime | None
    at_least: bool
    """Whether there may be more: counting ends after a hundred thousand."""


def lag(source: str, outbox: Connection[Any], log: Connection[Any]) -> Lag:
    """The outbox is read first, so that nothing is missing but what the log lacks."""
    messages, oldest, before = 0, None, None
    for _ in range(MOST_PAGES):
        page = outbox.execute(NEWEST, {"before": before, "limit": PAGE}).fetchall()
        times = {id_: time for _, id_, time in page}
        unknown = [id_ for (id_,) in log.execute(UNKNOWN, {"ids": list(times)})]
        messages += len(unknown)
        oldest = min([times[id_] for id_ in unknown], default=oldest)
        if len(page) < PAGE or not unknown:
            return Lag(source, messages, oldest, False)
        before = page[-1][0]
    return Lag(source, messages, oldest, True)
