"""However large the rows of an outbox are, the relay publishes them and holds few of them in memory."""

import re
from collections.abc import Iterator

import pytest

from ordersaga.relay.dispatch import READ_AHEAD_BYTES
from tests.conftest import AnyServers
from tests.support.broker import TestBroker
from tests.support.databases import Database
from tests.support.refusals import QUEUE, UNBOUND, bind, refusing, undeliverable
from tests.support.relays import Relays, all_published, announce, relays_of
from tests.support.wait import until

SIZE = 4 * 1024 * 1024
TELLS_WHAT_IT_HOLDS = """
import sys
from ordersaga.relay import daemon as __main__
from ordersaga.relay import publisher, window
from ordersaga.relay.in_flight import InFlight
flights, most = [], 0
def tell(more):
    global most
    held = sum(len(row.message.body) for flight in flights for row in flight.sent_rows) + more
    if held > most:
        most = held
        print("holds", most, file=sys.stderr, flush=True)
make = InFlight.__init__
def __init__(self):
    flights.append(self)
    make(self)
InFlight.__init__ = __init__
fetch, look, send = window.fetch_page, window.open_window, publisher.Publisher.send
def fetch_page(*arguments, **more):
    page = fetch(*arguments, **more)
    tell(sum(len(row.message.body) for row in page))
    return page
def open_window(*arguments, **more):
    opened = look(*arguments, **more)
    tell(sum(len(row.message.body) for row in opened.page))
    return opened
def send_and_tell(self, messages, *more):
    tell(0)
    send(self, messages, *more)
window.fetch_page, window.open_window, publisher.Publisher.send = fetch_page, open_window, send_and_tell
__main__.main(["counting"])
"""


@pytest.fixture
def relays(outbox: Database, broker: TestBroker, servers: AnyServers) -> Iterator[Relays]:
    with refusing(broker), relays_of(outbox, servers.amqp_url("relay")) as relays:
        yield relays


def announce_large(outbox: Database, count: int, size: int = SIZE, contract: str = "test.happened.v1") -> None:
    with outbox.connect() as connection, connection.transaction():
        for number in range(count):
            announce(connection, f"large {number % 7}", number, contract, body="x" * size)


def most_held(log: str) -> int:
    """Bytes of the bodies that the relay held at once."""
    return max(map(int, re.findall(r"^holds (\d+)$", log, re.MULTILINE)))


def test_large_rows_are_published_and_few_of_them_are_held_at_once(
    outbox: Database, broker: TestBroker, relays: Relays
) -> None:
    announce_large(outbox, 16)
    relay = relays.start(script=TELLS_WHAT_IT_HOLDS)
    until(lambda: all_published(outbox), seconds=60)
    assert SIZE < most_held(relay.log()) <= READ_AHEAD_BYTES
    assert broker.depth(QUEUE) == 16


def test_large_rows_that_the_broker_refused_are_published_again_a_few_at_a_time(
    outbox: Database, broker: TestBroker, relays: Relays
) -> None:
    announce_large(outbox, 12, contract=UNBOUND)
    relay = relays.start(script=TELLS_WHAT_IT_HOLDS)
    until(lambda: all_published(outbox) and len(undeliverable(outbox)) == 12, seconds=60)
    bind(broker, UNBOUND)
    until(lambda: undeliverable(outbox) == [], seconds=60)
    assert SIZE < most_held(relay.log()) <= READ_AHEAD_BYTES
    assert broker.depth(QUEUE) == 12


def test_a_row_over_the_limit_is_recorded_and_its_body_is_not_read(
    outbox: Database, broker: TestBroker, relays: Relays
) -> None:
    announce_large(outbox, 3, size=8_000_000)
    announce_large(outbox, 1, size=1000)
    relay = relays.start(script=TELLS_WHAT_IT_HOLDS, RELAY_MAX_MESSAGE_BYTES="1000")
    until(lambda: all_published(outbox), seconds=60)
    assert most_held(relay.log()) == 1000
    assert [kind for *_, kind in undeliverable(outbox)] == ["too_large"] * 3 + ["waits"]
