"""Queues stop at random, relays are killed, messages are refused: every queue gets all of its messages, in order."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from uuid import UUID

import pytest

from ordersaga.broker.topology import Group
from tests.conftest import AnyServers
from tests.support.broker import TestBroker
from tests.support.counting import GROUP, reactions
from tests.support.databases import Database, Databases
from tests.support.doctor import found_on_broker
from tests.support.refusals import FULL, fill_up, make_room, undeliverable
from tests.support.relays import all_published, announce, assert_in_order_per_key, first_copies, listen, relays_of
from tests.support.stuck import bound_by, suspended
from tests.support.wait import until

BOTH, ONE = "test.happened.v1", "test.seen.v1"
GROUPS = {"stuck": (BOTH, FULL), "free": (BOTH, ONE, FULL)}
QUEUES = ("stuck.0", "stuck.1", "free.0", "stranger")
KEYS = 60
SECONDS = 60
SERVICES = f"""
from ordersaga.relay import daemon, silence
from ordersaga.service import Service
class Listener(Service):
    @property
    def contracts(self):
        return {GROUPS!r}[self.group]
groups = [Listener("counting", group=group) for group in {GROUPS!r}]
for service in groups:
    for name in {GROUPS["free"]!r}:
        service.announcements._contracts[name] = type("Happened", (), {{"NAME": name}})
silence.STRANGER_SECONDS = 2.0
daemon.main(["counting"], groups)
"""


@contextmanager
def traffic(outbox: Database, chance: random.Random) -> Iterator[dict[UUID, str]]:
    """Messages of random keys and contracts; yields the contract of each."""
    announced: dict[UUID, str] = {}
    enough = threading.Event()

    def write() -> None:
        sequences = [0] * KEYS
        with outbox.connect() as connection:
            while not enough.wait(chance.expovariate(200)):
                with connection.transaction():
                    for key in chance.sample(range(KEYS), chance.randint(1, 4)):
                        sequences[key] += 1
                        contract = chance.choices((BOTH, ONE, FULL), (20, 10, 1))[0]
                        announced[announce(connection, str(key), sequences[key], contract)] = contract

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield announced
    finally:
        enough.set()
        writer.join()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whatever_stops_every_queue_gets_all_of_its_messages_in_order(
    database: Databases, broker: TestBroker, servers: AnyServers, seed: int
) -> None:
    outbox = database()
    chance = random.Random(seed)
    broker.declare(Group("stuck", GROUPS["stuck"], 2), Group("free", GROUPS["free"], 1))
    with bound_by(broker, "stranger"), relays_of(outbox, servers.amqp_url("relay")) as relays:
        relay = relays.start(script=SERVICES)
        fill_up(broker)
        with traffic(outbox, chance) as announced:
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                with ExitStack() as stopped:
                    for queue in chance.sample(QUEUES, chance.choice((0, 1, 1, 2))):
                        stopped.enter_context(suspended(servers, queue))
                    time.sleep(chance.uniform(1, 8))
                    if chance.random() < 0.4:
                        relay.end()
                        relay = relays.start(script=SERVICES)
                if chance.random() < 0.3:
                    make_room(broker)
                time.sleep(chance.uniform(0, 4))
        make_room(broker)
        until(lambda: all_published(outbox) and not undeliverable(outbox), 120)
        until(lambda: not outbox.rows("select queue from detached_queues"), 120)
        heard = {queue: first_copies(listen(broker, queue, prefetch=1)) for queue in QUEUES}
    for queue in QUEUES:
        assert_in_order_per_key(heard[queue])
    stuck = {message.id for queue in ("stuck.0", "stuck.1") for message in heard[queue]}
    assert stuck == {id_ for id_, contract in announced.items() if contract in GROUPS["stuck"]}
    for queue in ("free.0", "stranger"):
        assert {message.id for message in heard[queue]} == {*announced}


def test_doctor_names_a_queue_that_gives_no_answer(broker: TestBroker, servers: AnyServers) -> None:
    broker.declare(Group(GROUP, tuple(reactions.contracts), 2))
    with suspended(servers, f"{GROUP}.1"):
        [silent] = found_on_broker(broker.url)["silent queue"]
    assert silent.what.startswith(f"the queue {GROUP}.1 gives no answer")
