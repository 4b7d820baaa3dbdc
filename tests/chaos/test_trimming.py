"""At a steady rate, what is older than its retention stays few: rows of the outbox and of the inbox."""

import threading
import time
from datetime import timedelta

import pytest

from ordersaga.consumer import housekeeping
from ordersaga.consumer.housekeeping import Housekeeping
from tests.conftest import AnyServers
from tests.library.test_housekeeping import ANSWERED, RECEIVED
from tests.support.broker import TestBroker
from tests.support.databases import Database, Databases
from tests.support.refusals import refusing
from tests.support.relays import announce_many, relays_of
from tests.support.wait import until

RATE = 3500
SECONDS = 20
RETENTION_SECONDS = 4
BETWEEN_ROUNDS = 5
"""In place of a minute."""
PURGES_OFTEN = f"""
from ordersaga.relay import daemon as __main__
from ordersaga.relay import purge
purge.BETWEEN_ROUNDS = {BETWEEN_ROUNDS}
__main__.main(["counting"])
"""
PUBLISHED_AND_OLD = """
select count(*) from outbox, relay_cursor
where time < now() - make_interval(secs => %s) and pg_visible_in_snapshot(outbox.xid, published)
"""


def test_an_outbox_that_gets_rows_all_the_time_keeps_few_that_are_older_than_the_retention(
    database: Databases, broker: TestBroker, servers: AnyServers
) -> None:
    outbox = database()
    stop = threading.Event()

    def write() -> None:
        due = time.monotonic()
        while not stop.is_set():
            announce_many(outbox, RATE // 10)
            due += 0.1
            stop.wait(due - time.monotonic())

    retention = str(RETENTION_SECONDS / 3600)
    published_and_old: list[int] = []
    with refusing(broker), relays_of(outbox, servers.amqp_url("relay")) as relays:
        relays.start(script=PURGES_OFTEN, RELAY_RETENTION_HOURS=retention)
        writer = threading.Thread(target=write)
        writer.start()
        try:
            for _ in range(SECONDS):
                time.sleep(1)
                published_and_old.append(outbox.rows(PUBLISHED_AND_OLD, (RETENTION_SECONDS,))[0][0])
        finally:
            stop.set()
            writer.join()
        assert max(published_and_old) < 2 * BETWEEN_ROUNDS * RATE, published_and_old
        until(lambda: outbox.rows("select count(*) from outbox") == [(0,)], seconds=90)


def test_an_inbox_and_idempotency_keys_that_get_rows_all_the_time_keep_few_that_are_older(
    database: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "BETWEEN_ROUNDS", BETWEEN_ROUNDS)
    store = database()
    stop = threading.Event()

    def write(statement: str) -> None:
        due = time.monotonic()
        with store.connect() as connection:
            while not stop.is_set():
                connection.execute(statement.encode(), ([timedelta(0)] * (RATE // 10),))
                due += 0.1
                stop.wait(due - time.monotonic())

    writers = [threading.Thread(target=write, args=(statement,)) for statement in (RECEIVED, ANSWERED)]
    kept: list[tuple[int, int]] = []
    try:
        for writer in writers:
            writer.start()
        kept += kept_beside_housekeeping(store, SECONDS)
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    most = (RETENTION_SECONDS + 2 * BETWEEN_ROUNDS) * RATE
    assert all(rows < most for counts in kept for rows in counts), kept


def kept_beside_housekeeping(store: Database, seconds: float) -> list[tuple[int, int]]:
    """Rows of both tables every second, while a worker's housekeeping deletes those that are older than 4 s."""
    kept: list[tuple[int, int]] = []
    keeping = Housekeeping("counting", timedelta(seconds=RETENTION_SECONDS))
    end, look = time.monotonic() + seconds, 0.0
    with store.connect() as connection:
        while time.monotonic() < end:
            pause = keeping.step(connection)
            if time.monotonic() > look:
                look = time.monotonic() + 1
                kept += store.rows("select (select count(*) from inbox), (select count(*) from idempotency_keys)")
            time.sleep(min(pause, 0.1))
    return kept
