"""Which rows have outlived their retention?"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from ordersaga.diagnosis.findings import DiagnosisFinding
from ordersaga.diagnosis.questions import Answers, AskedDatabase
from ordersaga.relay.purge import BATCH

# A row that a detached queue lacks is kept, and so is one that is not published.
OUTBOX = f"""
select min(oldest.time) from (select xid, time from outbox order by position limit {BATCH}) as oldest, relay_cursor
where pg_visible_in_snapshot(oldest.xid, published) and not exists (select from detached_queues)
    and oldest.time > '2000-01-01' and oldest.time < now() - %s
"""  # noqa: S608 - a constant
RECEIVED = {
    "inbox": "select min(received_at) from inbox",
    "idempotency_keys": "select min(created_at) from idempotency_keys",
}


def housekeeping(asked: AskedDatabase) -> Answers:
    """Tables whose oldest row should have been purged longer ago than the limit."""
    settings, late = asked.terms.settings, timedelta(seconds=asked.terms.limits.purge)
    for table, oldest in oldest_rows(asked, timedelta(days=settings.inbox_retention_days) + late):
        who = f"start a worker of {asked.service.name}"
        yield finding(asked.place, table, oldest, f"{who}: every worker purges it")
    retention = timedelta(hours=settings.relay_retention_hours) + late
    [(oldest,)] = asked.connection.execute(OUTBOX, (retention,))
    if oldest:
        yield finding(asked.place, "outbox", oldest, "start a relay: the active one purges it")


def oldest_rows(asked: AskedDatabase, retention: timedelta) -> Iterator[tuple[str, datetime]]:
    [(now,)] = asked.connection.execute("select now()")
    for table, query in RECEIVED.items():
        [(oldest,)] = asked.connection.execute(query.encode())
        if oldest and oldest < now - retention:
            yield table, oldest


def finding(place: str, table: str, oldest: datetime, remedy: str) -> DiagnosisFinding:
    return DiagnosisFinding(
        "warning",
        "purge",
        place,
        f"rows of {table} are older than their retention: nobody purges it, and it grows",
        f"{remedy}. Set RELAY_RETENTION_HOURS and INBOX_RETENTION_DAYS here as they are for your processes",
        oldest,
    )
