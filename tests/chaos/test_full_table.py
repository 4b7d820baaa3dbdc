"""A queue stops, and another refuses more messages than may be undeliverable: when both go on, so does the relay."""

from uuid import UUID

from ordersaga.broker.topology import Group, side_exchange_of
from ordersaga.envelope.message import partition_of
from tests.chaos.test_stuck_queues import BOTH, GROUPS, SERVICES
from tests.conftest import AnyServers
from tests.support.broker import TestBroker
from tests.support.databases import Database, Databases
from tests.support.refusals import FULL, fill_up, make_room, undeliverable
from tests.support.relays import all_published, announce, assert_in_order_per_key, first_copies, listen, relays_of
from tests.support.stuck import suspended
from tests.support.wait import until

MOST = 50
SMALL_TABLE = SERVICES.replace(
    "daemon.main",
    f"""from ordersaga.relay import dispatch, publish_loop, undeliverable
undeliverable.MAX_ROWS = {MOST}
publish_loop.CHUNK = dispatch.CHUNK = 10
publish_loop.MAX_IN_FLIGHT = 20
daemon.main""",
)
KEYS = [key for key in map(str, range(1000)) if partition_of(key) % 2]
"""Of the partitions of `stuck.1`."""


def announce_each(outbox: Database, keys: list[str], sequence: int, contract: str) -> list[UUID]:
    with outbox.connect() as connection, connection.transaction():
        return [announce(connection, key, sequence, contract) for key in keys]


def test_a_relay_whose_table_is_full_attaches_the_queue_and_goes_on_by_itself(
    database: Databases, broker: TestBroker, servers: AnyServers
) -> None:
    outbox = database()
    broker.declare(Group("stuck", GROUPS["stuck"], 2), Group("free", GROUPS["free"], 1))
    fill_up(broker)
    with broker.channel() as channel:
        channel.queue_bind("full", side_exchange_of("free"), routing_key=f"{FULL}.*")
    with relays_of(outbox, servers.amqp_url("relay")) as relays:
        with suspended(servers, "stuck.1"):
            relay = relays.start(script=SMALL_TABLE)
            announced = announce_each(outbox, KEYS[:1], 0, BOTH)
            until(lambda: outbox.rows("select queue from detached_queues") == [("stuck.1",)], 60)
            announced += announce_each(outbox, KEYS[: MOST - 2], 1, FULL)
            until(lambda: len(undeliverable(outbox)) == MOST - 2 and all_published(outbox), 60)
            relay.end()
        announced += announce_each(outbox, KEYS[MOST : 3 * MOST], 1, FULL)
        relay = relays.start(script=SMALL_TABLE)
        until(lambda: "nothing new is published" in relay.log(), 60)
        assert not all_published(outbox)
        make_room(broker)
        until(lambda: all_published(outbox) and not undeliverable(outbox), 60)
        until(lambda: not outbox.rows("select queue from detached_queues"), 60)
        for queue in ("stuck.1", "free.0"):
            heard = first_copies(listen(broker, queue))
            assert {message.id for message in heard} == {*announced}
            assert_in_order_per_key(heard)
