"""A queue that gives no answer keeps only its own messages waiting."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest

from devstack.ports import choose
from ordersaga.broker.change import QueueChange
from ordersaga.broker.pause_locks import ChangeFailed
from ordersaga.broker.topology import EVENTS, Group, side_exchange_of
from ordersaga.envelope.message import PARTITIONS
from ordersaga.relay import detached, session, window
from ordersaga.relay.access import Access
from ordersaga.relay.catch_up import CatchUp
from ordersaga.relay.status import relay_status
from ordersaga.relay.window import Cursor
from ordersaga.runtime import failpoints
from ordersaga.runtime.armed_failpoints import mark_of
from ordersaga.runtime.failpoints import VARIABLE
from tests.conftest import AnyServers
from tests.support.broker import TestBroker
from tests.support.databases import Database
from tests.support.relays import (
    Heard,
    Relays,
    all_published,
    announce,
    assert_in_order_per_key,
    first_copies,
    listen,
    relays_of,
)
from tests.support.stuck import bound_by, metric, ready, suspended
from tests.support.wait import until

CONTRACT = "test.happened.v1"
STUCK = Group("stuck", (CONTRACT,), 2)
FREE = Group("free", (CONTRACT,), 1)
STRANGER = "stranger"
KEYS = 40
SERVICES = """
from ordersaga.relay import daemon, silence
from ordersaga.service import Service
class Listener(Service):
    contracts = ["test.happened.v1"]
groups = [Listener("counting", group=group) for group in ("stuck", "free")]
for service in groups:
    service.announcements._contracts["test.happened.v1"] = type("Happened", (), {"NAME": "test.happened.v1"})
silence.STRANGER_SECONDS = 2.0
daemon.main(["counting"], groups)
"""


class Shop:
    """Announcements of 40 keys, and what each queue has got of them."""

    def __init__(self, outbox: Database, broker: TestBroker) -> None:
        self.outbox = outbox
        self.broker = broker
        self.announced: list[UUID] = []
        self.heard: dict[str, list[Heard]] = {}

    def announce(self) -> None:
        """One message of each key."""
        sequence = len(self.announced) // KEYS
        with self.outbox.connect() as connection, connection.transaction():
            self.announced += [announce(connection, str(key), sequence) for key in range(KEYS)]

    def has_all(self, *queues: str) -> bool:
        """Whether these queues together have every message, each in order, as an inbox sees them."""
        for queue in queues:
            self.heard.setdefault(queue, []).extend(listen(self.broker, queue, prefetch=1))
            assert_in_order_per_key(first_copies(self.heard[queue]))
        return {message.id for queue in queues for message in self.heard[queue]} == {*self.announced}

    def detached(self) -> list[tuple[str, str]]:
        return self.outbox.rows("select queue, audience from detached_queues order by queue")


@pytest.fixture
def shop(outbox: Database, broker: TestBroker) -> Shop:
    broker.declare(STUCK, FREE)
    return Shop(outbox, broker)


@pytest.fixture
def armed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Arms a failpoint of this process."""

    def arm(line: str) -> None:
        (tmp_path / "armed").write_text(line)
        failpoints.begin()

    monkeypatch.setenv(VARIABLE, str(tmp_path / "armed"))
    yield arm
    failpoints.armed = None


@pytest.fixture
def relays(shop: Shop, servers: AnyServers) -> Iterator[Relays]:
    with relays_of(shop.outbox, servers.amqp_url("relay")) as relays:
        yield relays


def test_everything_but_its_messages_goes_on_while_a_queue_is_stuck_and_then_it_gets_them_in_order(
    shop: Shop, relays: Relays, servers: AnyServers
) -> None:
    port = choose(set())
    relay = relays.start(script=SERVICES, health_port=port)
    relays.wait_for_leader(relay)
    with suspended(servers, "stuck.1"):
        for _ in range(3):
            shop.announce()
        until(lambda: shop.has_all("free.0"))
        assert shop.detached() == [("stuck.1", "queue")]
        [named] = relay_status("counting", shop.outbox.relay_url, 0.1).detached
        assert (named.queue, named.kept_rows) == ("stuck.1", 3 * KEYS)
        assert ready(port) == ([], [f"counting: {named.state}"])
        assert "queue stuck.1 gives no answer since" in named.state
        with pytest.raises(ChangeFailed, match=r"stuck\.1 gives no answer"):
            QueueChange([Group("stuck", (CONTRACT,), 4)], shop.broker.url, {}, {}, 10, lambda _: None).run()
        assert metric(port, 'ordersaga_relay_detached_queues{database="counting"}') == 1
        relay.end()
        relays.start(script=SERVICES, RELAY_RETENTION_HOURS="0.000001")
        shop.announce()
        until(lambda: shop.has_all("free.0") and all_published(shop.outbox))
    until(lambda: shop.has_all("stuck.0", "stuck.1"), 60)
    until(lambda: not shop.detached(), 60)
    with bound_by(shop.broker, "spy", side_exchange_of(FREE.name)):
        shop.announce()
        until(lambda: shop.has_all("free.0") and shop.has_all("stuck.0", "stuck.1"))
        assert shop.broker.depth("spy") == 0
        with suspended(servers, "stuck.1"):
            shop.announce()
            until(lambda: shop.detached() == [("stuck.1", "queue")])
            shop.announce()
            until(lambda: shop.has_all("free.0"))
            assert shop.broker.depth("spy") > 1
    until(lambda: shop.has_all("stuck.0", "stuck.1"), 60)


def test_a_queue_of_another_application_that_is_stuck_stops_nobody_and_gets_its_messages_later(
    shop: Shop, relays: Relays, servers: AnyServers
) -> None:
    relays.wait_for_leader(relays.start(script=SERVICES))
    with bound_by(shop.broker, "stranger"):
        with suspended(servers, "stranger"):
            shop.announce()
            until(lambda: shop.detached() == [(EVENTS, "others")], 60)
            shop.announce()
            until(lambda: shop.has_all("free.0") and shop.has_all("stuck.0", "stuck.1"))
        until(lambda: not shop.detached(), 60)
        until(lambda: shop.has_all("stranger"))


def test_an_error_of_the_program_while_a_queue_catches_up_ends_only_that_attempt(
    shop: Shop, servers: AnyServers, armed: Callable[[str], None]
) -> None:
    point = "catch-up.confirmed"
    shop.announce()
    turns = threading.Semaphore(1)
    access = Access("counting", shop.outbox.relay_url, servers.amqp_url("relay"), 10_000, 3600, None, turns)
    with session.connect(shop.outbox.relay_url) as relay:
        cursor = window.load_cursor(relay)
        detached.detach(relay, "free.0", range(PARTITIONS))
        goal = window.open_window(relay, cursor, window.PageLimits(10_000, 1_000_000)).target
        [row] = detached.load(relay)
    catch_up = CatchUp(row, [CONTRACT], access, set())
    armed(f"{point}=exception")
    catch_up.start()
    try:
        assert catch_up.reaches(Cursor(goal), 20)
    finally:
        catch_up.end()
        catch_up.join(10)
    assert shop.has_all("free.0")
    assert mark_of(Path(os.environ[VARIABLE]), point).exists()


def test_a_catch_up_that_begins_again_begins_where_the_last_one_stood(outbox: Database) -> None:
    with session.connect(outbox.relay_url) as relay:
        window.load_cursor(relay)
        detached.detach(relay, "stuck.0", range(PARTITIONS))
        [row] = detached.load(relay)
        detached.move(relay, row, there := Cursor("5:5:", "9:9:", 3))
        assert detached.cursor_of(relay, row) == there
