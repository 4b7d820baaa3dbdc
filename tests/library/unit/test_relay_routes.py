"""A message goes around the queues that are detached, and to `events` when none of them is bound for its partition."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from ordersaga.broker.topology import EVENTS
from ordersaga.envelope.message import Cause, Message, partition_of
from ordersaga.relay.detached import ALL, STRANGERS, Detached, partitions_of
from ordersaga.relay.routes import Routes

NOW = datetime.now(UTC)
EVEN, ODD = (next(str(key) for key in range(99) if partition_of(str(key)) % 2 == rest) for rest in (0, 1))
GROUPS = {"one": ["a.b.v1"], "two": ["a.b.v1", "a.c.v1"], "log": ["*.*.*"]}
ONE = Detached("one.1", "queue", partitions_of("one.1", 2), NOW)
BEHIND = Detached("one.1", "others", partitions_of("one.1", 2), NOW)
LOG = Detached("log.0", "queue", ALL, NOW)
OTHERS = Detached(STRANGERS, "others", ALL, NOW)


def test_the_others_get_nothing_before_the_queues_that_are_silent_and_what_they_lack_since_before() -> None:
    earlier = replace(BEHIND, since=NOW - timedelta(hours=1))
    elsewhere = replace(earlier, queue="one.0", partitions=ALL - ONE.partitions)
    assert OTHERS.waits_for(ONE)
    assert OTHERS.waits_for(earlier)
    assert not earlier.waits_for(OTHERS)
    assert not BEHIND.waits_for(elsewhere)
    assert not BEHIND.waits_for(BEHIND)
    assert not ONE.waits_for(LOG)


@pytest.mark.parametrize(("detached", "key", "contract", "exchanges"), [
    ([ONE], EVEN, "a.b.v1", (EVENTS,)),
    ([ONE], ODD, "a.b.v1", ("events.two", "events.log")),
    ([ONE], ODD, "a.c.v1", ("events.two", "events.log")),
    ([BEHIND], ODD, "a.b.v1", ("events.one", "events.two", "events.log")),
    ([ONE, LOG], EVEN, "a.b.v1", ("events.one", "events.two")),
    ([ONE, LOG], ODD, "a.b.v1", ("events.two",)),
    ([LOG], ODD, "a.d.v1", ()),
    ([OTHERS], EVEN, "a.c.v1", ("events.two", "events.log")),
])  # fmt: skip
def test_a_message_goes_to(detached: list[Detached], key: str, contract: str, exchanges: tuple[str, ...]) -> None:
    message = Message(uuid4(), contract, "test", key, 1, NOW, bytes(32), Cause(uuid4()), "{}")
    routes = Routes(GROUPS, detached)
    assert routes.of(message) == exchanges
    assert routes.is_around(message) == (exchanges != (EVENTS,))
