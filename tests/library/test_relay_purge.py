"""What is published and old leaves the outbox; what is not published never does, however old."""

import psycopg
import pytest

from ordersaga.relay import detached, purge, session, window
from ordersaga.relay.settings import RelaySettings
from ordersaga.runtime.settings import MissingSetting, read_settings
from tests.conftest import AnyServers
from tests.support.broker import TestBroker
from tests.support.databases import Database
from tests.support.plans import plan_of
from tests.support.relays import EVERYTHING, all_published, announce, announce_many, ids_in_order, listen, relays_of
from tests.support.wait import until

DAY = 24 * 3600
LIMITS = window.PageLimits(largest=1000, budget=1_000_000)


def age(outbox: Database, first: int = 1, last: int = 1_000_000) -> None:
    """Make the rows at these positions two days older."""
    update = "update outbox set time = time - interval '2 days' where position between %s and %s returning 1"
    outbox.rows(update, (first, last))


def close_a_window(relay: psycopg.Connection[tuple[object, ...]]) -> None:
    opened = window.open_window(relay, window.load_cursor(relay), LIMITS)
    window.save_cursor(relay, window.Cursor(opened.target))


def purge_all(relay: psycopg.Connection[tuple[object, ...]]) -> int:
    """One round without its pauses; returns how many rows went."""
    deleted, found, last = purge.purge(relay, DAY)
    total = deleted
    while deleted and found == purge.BATCH:
        deleted, found, last = purge.purge(relay, DAY, last)
        total += deleted
    return total


def test_a_relay_deletes_old_published_rows_in_batches_and_keeps_young_ones(
    outbox: Database, broker: TestBroker, servers: AnyServers
) -> None:
    broker.declare(EVERYTHING)
    announce_many(outbox, 3 * purge.BATCH)
    with relays_of(outbox, servers.amqp_url("relay")) as relays:
        first = relays.start()
        until(lambda: all_published(outbox))
        first.end()
        relays.processes.remove(first)
        announce_many(outbox, 100)
        age(outbox, last=2 * purge.BATCH + 10)
        kept = ids_in_order(outbox)[2 * purge.BATCH + 10 :]
        relays.start()
        until(lambda: ids_in_order(outbox) == kept)
        until(lambda: all_published(outbox))
    assert len(listen(broker)) == 3 * purge.BATCH + 100


def test_nothing_unpublished_is_deleted_however_old(outbox: Database) -> None:
    with outbox.connect() as late, session.connect(outbox.relay_url) as relay:
        with late.transaction():
            open_at_s1 = announce(late, "late", 1)
            announce_many(outbox, 10)
            close_a_window(relay)
        announce_many(outbox, 10)
        cursor = window.load_cursor(relay)
        under_way = window.open_window(relay, cursor, LIMITS)
        window.save_cursor(relay, window.Cursor(cursor.published, under_way.target, under_way.positions[5]))
        announce_many(outbox, 10)
        ids = ids_in_order(outbox)
        age(outbox)
        assert purge_all(relay) == 10
        assert ids_in_order(outbox) == [open_at_s1, *ids[11:]]
        close_a_window(relay)
        close_a_window(relay)
        assert purge_all(relay) == 21


def test_what_a_detached_queue_lacks_stays_however_old_until_everybody_has_it(outbox: Database) -> None:
    announce_many(outbox, 10)
    with session.connect(outbox.relay_url) as relay:
        close_a_window(relay)
        detached.detach(relay, "stuck.0", [0, 1])
        announce_many(outbox, 5)
        close_a_window(relay)
        age(outbox)
        assert purge_all(relay) == 10
        [row] = detached.load(relay)
        assert detached.kept_rows(relay, row) == 5
        detached.attach(relay, row)
        assert purge_all(relay) == 0
        [others] = detached.load(relay)
        detached.attach(relay, others)
        assert purge_all(relay) == 5


DIES_WHEN_IDLE = """
import os, signal
from ordersaga.relay import daemon as __main__
from ordersaga.relay.purge import Purger
Purger.purge_idle = lambda _: os.kill(os.getpid(), signal.SIGKILL)
__main__.main(["counting"])
"""


@pytest.mark.parametrize("published", [50, 2 * purge.BATCH])
def test_a_relay_that_is_never_idle_purges_as_much_as_it_publishes(outbox: Database, published: int) -> None:
    announce_many(outbox, 10 * purge.BATCH)
    age(outbox)
    with session.connect(outbox.relay_url) as relay:
        window.load_cursor(relay)
        close_a_window(relay)
        purger = purge.Purger("counting", relay, DAY)
        for _ in range(4 * purge.BATCH // published):
            purger.purge_beside(published)
        assert 4 * purge.BATCH <= 10 * purge.BATCH - len(ids_in_order(outbox)) <= 8 * purge.BATCH
        for _ in range(6 * purge.BATCH // published):
            purger.purge_beside(published)
        assert ids_in_order(outbox) == []


def test_a_window_that_is_long_is_purged_beside_and_not_only_after_it(
    outbox: Database, broker: TestBroker, servers: AnyServers
) -> None:
    broker.declare(EVERYTHING)
    announce_many(outbox, 4 * purge.BATCH)
    age(outbox)
    with session.connect(outbox.relay_url) as relay:
        window.load_cursor(relay)
        close_a_window(relay)
    announce_many(outbox, 4 * purge.BATCH)
    published = ids_in_order(outbox)[4 * purge.BATCH :]
    with relays_of(outbox, servers.amqp_url("relay")) as relays:
        relays.start(script=DIES_WHEN_IDLE).wait(30)
    assert ids_in_order(outbox) == published


def test_before_anything_is_published_nothing_is_deleted(outbox: Database) -> None:
    announce_many(outbox, 10)
    age(outbox)
    with session.connect(outbox.relay_url) as relay:
        window.load_cursor(relay)
        assert purge_all(relay) == 0
    assert len(ids_in_order(outbox)) == 10


def test_a_young_row_among_the_oldest_does_not_keep_the_others(outbox: Database) -> None:
    announce_many(outbox, 3 * purge.BATCH)
    age(outbox, first=2)
    with session.connect(outbox.relay_url) as relay:
        window.load_cursor(relay)
        close_a_window(relay)
        assert purge_all(relay) == 3 * purge.BATCH - 1


def test_trimming_reads_the_oldest_rows_by_their_key_and_the_window_still_goes_by_its_index(outbox: Database) -> None:
    announce_many(outbox, 50_000)
    with session.connect(outbox.relay_url) as relay:
        session.prepare(relay, unsafe_durability=False)
        window.load_cursor(relay)
        close_a_window(relay)
        age(outbox, last=20_000)
        plan = plan_of(relay, purge.PURGE, {"after": 0, "batch": purge.BATCH, "retention": DAY})
        assert plan.count("outbox_pkey") == 2
        assert "Seq Scan on outbox" not in plan
        assert purge_all(relay) == 20_000 - 2 * purge.BATCH
        announce_many(outbox, 20)
        cursor = window.load_cursor(relay)
        plan = plan_of(relay, window.LOOK, {"since": cursor.published, "until": None, **LIMITS._asdict()})
        assert plan.count("outbox_window") == 2
        assert "Seq Scan" not in plan
        assert len(window.open_window(relay, cursor, LIMITS).positions) == 20


def test_a_retention_of_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAY_RETENTION_HOURS", "0")
    with pytest.raises(MissingSetting, match="RELAY_RETENTION_HOURS"):
        read_settings(RelaySettings)
