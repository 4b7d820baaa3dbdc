"""What is remembered to drop repeats is forgotten after its retention, and not a row earlier."""

import re
from datetime import timedelta

import psycopg
import pytest

from ordersaga.consumer.housekeeping import BATCH, EVER, PURGE, Housekeeping, purge
from tests.support.databases import Database, Databases
from tests.support.wait import until
from tests.support.workers import Counting

RETENTION = timedelta(days=30)
RECEIVED = """
insert into inbox (message_id, contract, source, event_hash, received_at)
select gen_random_uuid(), 'test.counted.v1', 'test', '', now() - age from unnest(%s::interval[]) as age
"""
ANSWERED = """
insert into idempotency_keys (caller, key, request_hash, status, headers, body, created_at)
select 'alice', gen_random_uuid(), '', 202, '{}', '', now() - age from unnest(%s::interval[]) as age
"""


@pytest.fixture
def store(database: Databases) -> Database:
    return database()


def remember(store: Database, old: int, young: int) -> None:
    ages = [RETENTION + timedelta(minutes=1)] * old + [RETENTION - timedelta(minutes=1)] * young
    with store.connect() as connection:
        for statement in (RECEIVED, ANSWERED):
            connection.execute(statement, (ages,))


def remembered(store: Database) -> dict[str, int]:
    return {table: store.rows(f"select count(*) from {table}")[0][0] for table in PURGE}  # noqa: S608


def test_what_is_older_than_the_retention_is_forgotten_and_nothing_younger(store: Database) -> None:
    remember(store, old=5, young=7)
    with store.connect() as connection:
        assert Housekeeping("counting", RETENTION).step(connection) > 0
    assert remembered(store) == {"inbox": 7, "idempotency_keys": 7}


@pytest.mark.parametrize("table", PURGE)
def test_it_is_forgotten_in_batches(store: Database, table: str) -> None:
    remember(store, old=BATCH + 1, young=0)
    with store.connect() as connection:
        assert [purge(connection, table, RETENTION).deleted for _ in range(3)] == [BATCH, 1, 0]


def test_after_a_full_batch_the_next_one_follows_at_once(store: Database) -> None:
    remember(store, old=BATCH + 1, young=0)
    housekeeping = Housekeeping("counting", RETENTION)
    with store.connect() as connection:
        assert housekeeping.step(connection) == 0
        assert housekeeping.step(connection) > 0
    assert remembered(store) == {"inbox": 0, "idempotency_keys": 0}


def pages_of(plan: list[tuple[str]]) -> int:
    """All pages that the statement has read."""
    pages = next(line for (line,) in plan if "Buffers: shared" in line)
    return sum(map(int, re.findall(r"=(\d+)", pages)))


@pytest.mark.parametrize(("table", "column"), [("inbox", "received_at"), ("idempotency_keys", "created_at")])
def test_nothing_is_read_to_find_that_nothing_is_to_be_forgotten(store: Database, table: str, column: str) -> None:
    """On pages too from which older rows have gone."""
    for _ in range(3):
        remember(store, old=2000, young=2000)
        with store.connect() as connection:
            while purge(connection, table, RETENTION).found:
                pass
        with psycopg.connect(store.owner_url, autocommit=True) as owner:
            owner.execute(f"vacuum analyze {table}".encode())
    with store.connect() as connection:
        parameters = {"after": EVER, "retention": RETENTION, "batch": BATCH}
        plan = connection.execute(f"explain (analyze, buffers) {PURGE[table]}".encode(), parameters).fetchall()
    found = next(line for (line,) in plan if f"using {table}_{column}" in line)
    assert "rows=0" in found.partition("actual")[2]
    assert pages_of(plan) < 20


@pytest.mark.parametrize(("table", "column"), [("inbox", "received_at"), ("idempotency_keys", "created_at")])
def test_a_batch_does_not_read_again_what_was_deleted_before_it_and_somebody_may_still_see(
    store: Database, table: str, column: str
) -> None:
    ages = [RETENTION + timedelta(minutes=minutes) for minutes in range(1, 6 * BATCH)]
    with store.connect() as connection:
        connection.execute({"inbox": RECEIVED, "idempotency_keys": ANSWERED}[table], (ages,))
    with psycopg.connect(store.owner_url, autocommit=True) as owner:
        owner.execute(f"analyze {table}".encode())
    pages = []
    with psycopg.connect(store.owner_url) as other, store.connect() as connection:
        other.execute("begin isolation level repeatable read")
        other.execute("select 1 from stored_events")
        last = EVER
        while True:
            parameters = {"after": last, "retention": RETENTION, "batch": BATCH}
            with connection.transaction(force_rollback=True):
                plan = connection.execute(f"explain (analyze, buffers) {PURGE[table]}".encode(), parameters).fetchall()
            scan = next(number for number, (line,) in enumerate(plan) if f"using {table}_{column}" in line)
            pages.append(pages_of(plan[scan:]))
            found, at, deleted = purge(connection, table, RETENTION, last)
            if found < BATCH or at is None:
                break
            assert deleted == BATCH
            last = at
    assert pages[-2] < 2 * pages[0]


def test_a_worker_forgets_by_itself(counting: Counting) -> None:
    with counting.database.connect() as connection:
        connection.execute(RECEIVED, ([timedelta(days=2), timedelta(hours=1)],))
    counting.environment["INBOX_RETENTION_DAYS"] = "1"
    counting.start().wait_until_ready()
    until(lambda: counting.in_inbox() == 1)
