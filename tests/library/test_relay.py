"""Nothing lost, nothing twice, in order: the relay on real servers, under late commits, kills and restarts."""

import random
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from uuid import uuid4

import psutil
import psycopg
import pytest

from ordersaga.relay import session, window
from tests.conftest import AnyServers
from tests.support.broker import TestBroker
from tests.support.databases import Database
from tests.support.plans import plan_of, rows_read
from tests.support.relays import (
    EVERYTHING,
    KILLED_BEFORE_ITS_CURSOR_MOVES,
    RelayProcess,
    Relays,
    all_published,
    announce,
    announce_many,
    assert_in_order_per_key,
    first_copies,
    ids_in_order,
    listen,
    relays_of,
)
from tests.support.wait import until

LIMITS = window.PageLimits(largest=1000, budget=1_000_000)


@pytest.fixture
def relays(outbox: Database, broker: TestBroker, servers: AnyServers) -> Iterator[Relays]:
    broker.declare(EVERYTHING)
    with relays_of(outbox, servers.amqp_url("relay")) as relays:
        yield relays


def test_a_row_that_commits_late_is_published(outbox: Database, broker: TestBroker, relays: Relays) -> None:
    relays.start()
    with outbox.connect() as slow, outbox.connect() as fast:
        with slow.transaction():
            late = announce(slow, "slow", 1)
            early = announce(fast, "fast", 1)
            until(lambda: all_published(outbox))
            assert [message.id for message in listen(broker)] == [early]
        until(lambda: all_published(outbox))
    assert [message.id for message in listen(broker)] == [late]


def test_a_row_whose_transaction_began_with_the_inbox_is_published(
    outbox: Database, broker: TestBroker, relays: Relays
) -> None:
    relays.start()
    with outbox.connect() as reacting, outbox.connect() as other:
        with reacting.transaction():
            reacting.execute(
                "insert into inbox (message_id, contract, source, event_hash) values (%s, '', '', '')", (uuid4(),)
            )
            for sequence in range(3):
                announce(other, "other", sequence)
                until(lambda: all_published(outbox))
            late = announce(reacting, "reacting", 1)
            announce(other, "other", 3)
            until(lambda: all_published(outbox))
        until(lambda: all_published(outbox))
    heard = listen(broker)
    assert len(heard) == 5
    assert heard[-1].id == late


def test_a_strangers_open_transaction_in_another_database_holds_nothing_up(
    outbox: Database, broker: TestBroker, relays: Relays, servers: AnyServers
) -> None:
    with psycopg.connect(servers.postgres.superuser_url("postgres")) as stranger:
        stranger.execute("select pg_current_xact_id()")
        relays.start()
        announce_many(outbox, 100)
        until(lambda: all_published(outbox))
        assert [message.id for message in listen(broker)] == ids_in_order(outbox)


def write(outbox: Database, seed: int, rows: int) -> None:
    """Announce for aggregates that others write too, in transactions of every shape; some are rolled back."""
    choice = random.Random(seed)
    with outbox.connect() as connection:
        for _ in range(rows):
            key = choice.randrange(40)
            with connection.transaction(force_rollback=choice.random() < 0.05):
                if choice.random() < 0.7:
                    connection.execute(
                        "insert into inbox (message_id, contract, source, event_hash) values (%s, '', '', '')",
                        (uuid4(),),
                    )
                connection.execute("select pg_advisory_xact_lock(%s)", (key,))
                (count,) = connection.execute("select count(*) from outbox where key = %s", (str(key),)).fetchone() or (
                    0,
                )
                if choice.random() < 0.3:
                    time.sleep(choice.random() * 0.01)
                announce(connection, str(key), count)
                if choice.random() < 0.3:
                    time.sleep(choice.random() * 0.01)


def test_with_eight_writers_nothing_is_lost_nothing_comes_twice_and_each_key_is_in_order(
    outbox: Database, broker: TestBroker, relays: Relays
) -> None:
    relays.wait_for_leader(relays.start())
    with ThreadPoolExecutor(8) as writers:
        for done in [writers.submit(write, outbox, seed, 400) for seed in range(8)]:
            done.result()
    until(lambda: all_published(outbox))
    heard = listen(broker)
    assert len(heard) > 2500
    assert sorted(message.id for message in heard) == sorted(ids_in_order(outbox))
    assert_in_order_per_key(heard)


def test_a_relay_killed_after_the_confirms_and_before_its_cursor_moves_publishes_the_same_again(
    outbox: Database, broker: TestBroker, relays: Relays
) -> None:
    announce_many(outbox, 500)
    assert relays.start(script=KILLED_BEFORE_ITS_CURSOR_MOVES).wait(20) == -signal.SIGKILL
    assert not all_published(outbox)
    relays.start()
    until(lambda: all_published(outbox))
    heard = listen(broker)
    assert [message.id for message in heard] == 2 * ids_in_order(outbox)
    assert_in_order_per_key(first_copies(heard))


KILLED_INSIDE_A_WINDOW = """
import os, signal, sys
from ordersaga.relay import daemon as __main__
from ordersaga.relay import window
keep = window.save_cursor
def kill_behind_two_pages(connection, cursor):
    keep(connection, cursor)
    if cursor.confirmed_position >= 2 * window.PAGE:
        os.kill(os.getpid(), signal.SIGKILL)
window.save_cursor = kill_behind_two_pages
__main__.main(["counting"])
"""


def test_a_relay_killed_inside_a_long_window_goes_on_behind_what_was_confirmed(
    outbox: Database, broker: TestBroker, relays: Relays
) -> None:
    announce_many(outbox, 8 * window.PAGE)
    assert relays.start(script=KILLED_INSIDE_A_WINDOW).wait(20) == -signal.SIGKILL
    ((confirmed,),) = outbox.rows("select count(*) from outbox, relay_cursor where position <= confirmed_position")
    assert confirmed >= 2 * window.PAGE
    announce_many(outbox, 100)
    before = listen(broker)
    relays.start()
    until(lambda: all_published(outbox))
    after = listen(broker)
    assert [message.id for message in after] == ids_in_order(outbox)[confirmed:]
    assert [message.id for message in first_copies(before + after)] == ids_in_order(outbox)


def test_a_broker_that_restarts_mid_flow_costs_no_message_and_no_order(
    outbox: Database, broker: TestBroker, relays: Relays, servers: AnyServers
) -> None:
    relays.wait_for_leader(relays.start())
    with ThreadPoolExecutor(1) as writer:
        writing = writer.submit(write, outbox, 1, 300)
        until(lambda: broker.depth(EVERYTHING.queue_names[0]) > 20)
        servers.rabbitmq.stop()
        writing.result()
        servers.rabbitmq.start()
    until(lambda: all_published(outbox), seconds=30)
    heard = first_copies(listen(broker))
    assert sorted(message.id for message in heard) == sorted(ids_in_order(outbox))
    assert_in_order_per_key(heard)


def leader_and_standby(relays: Relays) -> tuple[RelayProcess, RelayProcess]:
    leader = relays.start()
    relays.wait_for_leader(leader)
    standby = relays.start()
    until(lambda: relays.connected() == 2)
    return leader, standby


def test_of_two_relays_one_is_active_and_the_other_takes_over_when_it_is_killed(
    outbox: Database, broker: TestBroker, relays: Relays
) -> None:
    leader, standby = leader_and_standby(relays)
    announce_many(outbox, 100)
    until(lambda: all_published(outbox))
    assert relays.leader() == leader.pid
    leader.kill()
    announce_many(outbox, 100)
    relays.wait_for_leader(standby, seconds=5)
    until(lambda: all_published(outbox))
    assert [message.id for message in listen(broker)] == ids_in_order(outbox)


def test_a_frozen_leader_is_succeeded_within_five_seconds_and_does_no_harm_when_it_wakes(
    outbox: Database, broker: TestBroker, relays: Relays
) -> None:
    leader, standby = leader_and_standby(relays)
    leader.send_signal(signal.SIGSTOP)
    announce_many(outbox, 100)
    relays.wait_for_leader(standby, seconds=5)
    until(lambda: all_published(outbox))
    leader.send_signal(signal.SIGCONT)
    until(lambda: relays.connected() == 2)
    announce_many(outbox, 100)
    until(lambda: all_published(outbox))
    assert relays.leader() == standby.pid
    heard = listen(broker)
    assert [message.id for message in first_copies(heard)] == ids_in_order(outbox)


FROZEN_AMID_AN_ANSWER = """
import os, signal
from ordersaga.relay import daemon as __main__
from ordersaga.relay import window
def open_window(connection, *_):
    connection.pgconn.send_query(b"select repeat('x', 1000000) from generate_series(1, 100)")
    os.kill(os.getpid(), signal.SIGSTOP)
window.open_window = open_window
__main__.main(["counting"])
"""
FROZEN_AMID_A_TRANSACTION = """
import os, signal
from ordersaga.relay import daemon as __main__
from ordersaga.relay import window
def open_window(connection, *_):
    connection.execute("begin")
    os.kill(os.getpid(), signal.SIGSTOP)
window.open_window = open_window
__main__.main(["counting"])
"""


@pytest.mark.parametrize("script", [FROZEN_AMID_AN_ANSWER, FROZEN_AMID_A_TRANSACTION], ids=["answer", "transaction"])
def test_a_leader_frozen_amid_an_answer_or_a_transaction_is_succeeded(
    outbox: Database, broker: TestBroker, relays: Relays, script: str
) -> None:
    leader = relays.start(script=script)
    until(lambda: psutil.Process(leader.pid).status() == psutil.STATUS_STOPPED)
    standby = relays.start()
    announce_many(outbox, 100)
    relays.wait_for_leader(standby)
    until(lambda: all_published(outbox))
    assert [message.id for message in listen(broker)] == ids_in_order(outbox)


def test_a_relay_told_to_stop_leaves_its_cursor_behind_everything_that_was_confirmed(
    outbox: Database, broker: TestBroker, relays: Relays
) -> None:
    announce_many(outbox, 30_000)
    relay = relays.start()
    until(lambda: outbox.rows("select from relay_cursor where confirmed_position is not null"), every=0.005)
    relay.send_signal(signal.SIGTERM)
    assert relay.wait(15) == 0
    ((confirmed,),) = outbox.rows("select count(*) from outbox, relay_cursor where position <= confirmed_position")
    assert window.PAGE <= confirmed < 30_000
    assert broker.depth(EVERYTHING.queue_names[0]) == confirmed


STOPPED_BETWEEN_TWO_OF_A_KEY = """
import os, signal, time
from ordersaga.relay import daemon as __main__
from ordersaga.relay import dispatch
take = dispatch.Dispatch._apply
def take_and_stop(self, outcome):
    if outcome.settled and not self._stop.is_set():
        os.kill(os.getpid(), signal.SIGTERM)
        while not self._stop.is_set():
            time.sleep(0.001)
    take(self, outcome)
dispatch.Dispatch._apply = take_and_stop
__main__.main(["counting"])
"""


def test_a_relay_told_to_stop_before_the_second_message_of_a_key_leaves_it_to_the_next(
    outbox: Database, broker: TestBroker, relays: Relays
) -> None:
    with outbox.connect() as connection, connection.transaction():
        ids = [announce(connection, "same", 1), announce(connection, "same", 2)]
    assert relays.start(script=STOPPED_BETWEEN_TWO_OF_A_KEY).wait(20) == 0
    heard = listen(broker)
    assert [message.id for message in heard] == ids[:1]
    relays.start()
    until(lambda: all_published(outbox))
    assert [message.id for message in first_copies(heard + listen(broker))] == ids


def test_relays_told_to_stop_again_and_again_under_load_lose_nothing(
    outbox: Database, broker: TestBroker, relays: Relays
) -> None:
    over = threading.Event()

    def write_pairs() -> None:
        with outbox.connect() as connection:
            for number in count():
                if over.wait(0.004):
                    return
                with connection.transaction():
                    announce(connection, str(number), 1)
                    announce(connection, str(number), 2)

    with ThreadPoolExecutor(1) as threads:
        writing = threads.submit(write_pairs)
        try:
            for _ in range(6):
                relay = relays.start()
                relays.wait_for_leader(relay)
                published = count_of_published(outbox)
                more = random.randrange(20, 200)
                until(lambda least=published + more: count_of_published(outbox) > least)  # type: ignore[misc]
                relay.send_signal(signal.SIGTERM)
                assert relay.wait(20) == 0
        finally:
            over.set()
        writing.result()
    relays.start()
    until(lambda: all_published(outbox))
    heard = first_copies(listen(broker))
    assert_in_order_per_key(heard)
    assert sorted(message.id for message in heard) == sorted(ids_in_order(outbox))


def count_of_published(outbox: Database) -> int:
    query = "select count(*) from outbox, relay_cursor where pg_visible_in_snapshot(outbox.xid, published)"
    return int(outbox.rows(query)[0][0])


def test_an_idle_relay_writes_nothing(outbox: Database, relays: Relays) -> None:
    relays.start()
    announce_many(outbox, 10)
    until(lambda: all_published(outbox))
    row_version = "select ctid, xmin, moved_at from relay_cursor"
    polls = "select query_start from pg_stat_activity where usename = 'relay' and datname = current_database()"
    before, polled = outbox.rows(row_version), outbox.rows(polls)
    for _ in range(10):
        until(lambda last=polled: outbox.rows(polls) != last)  # type: ignore[misc]
        polled = outbox.rows(polls)
    assert outbox.rows(row_version) == before


@pytest.mark.parametrize("rows_when_planned", [0, 30_000])
def test_a_window_is_found_and_read_by_index_however_many_rows_are_published_and_retained(
    outbox: Database, rows_when_planned: int
) -> None:
    with outbox.connect() as open_since_before, session.connect(outbox.relay_url) as connection:
        session.prepare(connection, unsafe_durability=False)
        connection.execute("set idle_session_timeout = 0")
        cursor = window.load_cursor(connection)
        if not rows_when_planned:
            window.open_window(connection, cursor, LIMITS)
        announce_many(outbox, 30_000)
        with open_since_before.transaction():
            announce(open_since_before, "late", 1)
            opened = window.open_window(connection, cursor, LIMITS)
            assert len(opened.positions) == 30_000
            assert [row.position for row in opened.page] == opened.positions[: window.PAGE]
        announce_many(outbox, 20)
        for saved in (None, cursor):
            found = window.open_window(connection, window.Cursor(opened.target), LIMITS, saved)
            assert [row.position for row in found.page] == found.positions
            assert len(found.positions) == 21
        looked = {"since": opened.target, "until": None, **LIMITS._asdict()}
        for statement, parameters in (
            (window.LOOK, looked),
            (window.SAVE_AND_LOOK, looked | window.columns_of(cursor)),
            (window.ROWS, {"positions": found.positions, **LIMITS._asdict()}),
        ):
            plan = plan_of(connection, statement, parameters)
            assert plan.count("outbox_window") == (0 if statement == window.ROWS else 2)
            assert plan.count("outbox_pkey") == 1
            assert "Seq Scan on outbox" not in plan
            assert rows_read(plan) <= 21
