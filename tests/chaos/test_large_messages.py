"""150 rows of 4 MB: the relay publishes all, once, with less than 300 MB of memory."""

import os

from tests.conftest import AnyServers
from tests.library.test_relay_large_messages import SIZE, announce_large
from tests.support.broker import TestBroker
from tests.support.databases import Databases
from tests.support.refusals import QUEUE, refusing
from tests.support.relays import all_published, relays_of
from tests.support.wait import until

MEMORY = 300 * 1000 * 1000


def test_six_hundred_megabytes_are_published_once_with_less_than_three_hundred_of_memory(
    database: Databases, broker: TestBroker, servers: AnyServers
) -> None:
    outbox = database()
    announce_large(outbox, 150, SIZE)
    with refusing(broker), relays_of(outbox, servers.amqp_url("relay")) as relays:
        relay = relays.start()
        until(lambda: all_published(outbox), seconds=300, every=0.2)
        assert relay.log().count("is away") == 0
        assert broker.depth(QUEUE) == 150
        relay.terminate()
        _, status, usage = os.wait4(relay.pid, 0)
        relay.returncode = os.waitstatus_to_exitcode(status)
    assert usage.ru_maxrss * 1024 < MEMORY
