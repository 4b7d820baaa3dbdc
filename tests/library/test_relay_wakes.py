"""A ring wakes the relay, a window of few rows takes one statement, and without rings it looks 20 times a second."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from ordersaga.database.doorbell import Doorbell
from ordersaga.relay import session
from ordersaga.relay.bell import Bell
from ordersaga.runtime.sessions import WORKER
from tests.conftest import AnyServers
from tests.support.broker import TestBroker
from tests.support.databases import Database
from tests.support.relays import EVERYTHING, RelayProcess, Relays, announce, relays_of
from tests.support.wait import until

QUEUE = EVERYTHING.queue_names[0]
TELLS_ITS_STATEMENTS = """
import sys, psycopg
from ordersaga.relay import publish_loop
from ordersaga.relay import daemon as __main__
{change}
execute = psycopg.Connection.execute
def tell(self, query, *arguments, **more):
    text = query.decode() if isinstance(query, bytes) else query
    print("statement:", *text.split()[:3], file=sys.stderr, flush=True)
    return execute(self, query, *arguments, **more)
psycopg.Connection.execute = tell
__main__.main(["counting"])
"""
NEVER_LOOKS_BY_ITSELF = TELLS_ITS_STATEMENTS.format(change="publish_loop.BACKSTOP_SECONDS = 3600")
LOOKS = TELLS_ITS_STATEMENTS.format(change="")
LOOK, SAVE_AND_LOOK, PURGE, KEEP_ALIVE = "with fresh as", "with saved as", "with oldest as", ""
LOOKS_BETWEEN_KEEP_ALIVES = 12
"""A look at most every 50 ms, something that keeps the session alive after 500 ms."""
END_SESSION = """
select pg_terminate_backend(l.pid) from pg_locks l join pg_database d on d.oid = l.database
where locktype = 'advisory' and datname = current_database()
"""


@pytest.fixture
def relays(outbox: Database, broker: TestBroker, servers: AnyServers) -> Iterator[Relays]:
    broker.declare(EVERYTHING)
    with relays_of(outbox, servers.amqp_url("relay")) as relays:
        yield relays


@pytest.fixture
def doorbell(outbox: Database) -> Iterator[Doorbell]:
    doorbell = Doorbell(outbox.url, "counting doorbell", WORKER)
    yield doorbell
    doorbell.close()


def statements(relay: RelayProcess) -> list[str]:
    """The beginnings of all that it has executed since its first look."""
    found = [text.strip() for text in re.findall(r"^statement:(.*)$", relay.log(), re.MULTILINE)]
    return found[found.index(LOOK) :] if LOOK in found else []


def keep_alives(relay: RelayProcess) -> int:
    return statements(relay).count(KEEP_ALIVE)


def publish_in_turn(outbox: Database, broker: TestBroker, doorbell: Doorbell, numbers: range) -> None:
    """Announce one message after the other, and ring for each."""
    with outbox.connect() as connection:
        for number in numbers:
            announce(connection, "a", number)
            doorbell.ring()
            until(lambda heard=number: broker.depth(QUEUE) >= heard)  # type: ignore[misc]


def test_a_ring_wakes_a_relay_that_does_not_look_by_itself_also_after_it_has_connected_again(
    outbox: Database, broker: TestBroker, relays: Relays, doorbell: Doorbell
) -> None:
    relay = relays.start(script=NEVER_LOOKS_BY_ITSELF)
    publish_in_turn(outbox, broker, doorbell, range(1, 5))
    outbox.rows(END_SESSION)
    until(lambda: relay.log().count("statement: listen") == 2)
    publish_in_turn(outbox, broker, doorbell, range(5, 9))


def test_a_ring_that_comes_with_the_answer_to_a_statement_is_noticed_once(outbox: Database) -> None:
    with outbox.connect() as ringing, session.connect(outbox.relay_url) as connection:
        bell = Bell(connection)
        assert not bell.has_rung()
        for _ in range(3):
            ringing.execute("notify ordersaga_outbox")
        until(lambda: connection.execute("select 1") and bell.has_rung())
        connection.execute("select 1")
        bell.reset()
        assert not bell.has_rung()


def test_a_window_of_few_rows_takes_one_statement_which_also_stores_the_cursor(
    outbox: Database, broker: TestBroker, relays: Relays, doorbell: Doorbell
) -> None:
    relay = relays.start(script=NEVER_LOOKS_BY_ITSELF)
    publish_in_turn(outbox, broker, doorbell, range(1, 21))
    looks = [text for text in statements(relay) if text not in (KEEP_ALIVE, PURGE)]
    assert {*looks} == {LOOK, SAVE_AND_LOOK}
    assert len(looks) <= 20 + 2, "one at the start, one for each ring, one for the ring when the doorbell connects"


def test_while_nobody_rings_a_relay_looks_twenty_times_a_second_however_much_is_written(
    outbox: Database, relays: Relays
) -> None:
    relay = relays.start(script=LOOKS)
    over = Event()

    def write() -> None:
        with outbox.connect() as connection:
            while not over.is_set():
                announce(connection, "a", 1)

    with ThreadPoolExecutor(1) as threads:
        writing = threads.submit(write)
        try:
            until(lambda: keep_alives(relay) > 3)
        finally:
            over.set()
        writing.result()
    between = " ".join(text or "|" for text in statements(relay)).split("|")
    assert max(text.count("with") for text in between) <= LOOKS_BETWEEN_KEEP_ALIVES
