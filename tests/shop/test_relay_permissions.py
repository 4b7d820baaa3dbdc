"""A relay whose broker user may not publish a contract records its messages, and publishes all others."""

import re

import pytest

from contracts import CONTRACTS
from devstack.processes import relay_user
from devstack.servers.rabbitmq_users import topic_permissions
from ordersaga.broker.side_exchanges import NoSideExchange, reachable
from ordersaga.broker.topology import Group
from ordersaga.service import Service
from projections.service import projections
from tests.conftest import AnyServers
from tests.support.broker import TestBroker
from tests.support.databases import Databases
from tests.support.refusals import undeliverable
from tests.support.relays import EVERYTHING, all_published, announce, listen, relays_of
from tests.support.wait import until

FOREIGN = "payments.payment_captured.v1"


def test_messages_that_the_relays_user_may_not_publish_hold_nobody_else_up(
    servers: AnyServers, database: Databases, broker: TestBroker
) -> None:
    outbox = database()
    broker.declare(EVERYTHING)
    with relays_of(outbox, servers.amqp_url("order_service_relay")) as relays:
        relays.start()
        with outbox.connect() as connection, connection.transaction():
            own = [announce(connection, str(number), 1, "orders.order_placed.v1") for number in range(40)]
            for key in ("a", "b"):
                announce(connection, key, 1, FOREIGN)
                announce(connection, key, 2, "orders.order_placed.v1")
        until(lambda: all_published(outbox))
        expected = [(key, number, kind) for key in ("a", "b") for number, kind in ((1, "returned"), (2, "waits"))]
        assert undeliverable(outbox) == expected
    assert {message.id for message in listen(broker)} == set(own)
    [reasons] = outbox.rows("select array_agg(reason) from undeliverable where kind = 'returned'")
    assert all(f"access to topic '{FOREIGN}" in reason for reason in reasons[0])


@pytest.mark.parametrize("service", projections.sources, ids=lambda service: service.name)
def test_a_relay_may_publish_the_contracts_of_its_service_and_no_others(service: Service) -> None:
    [pattern] = {entry["write"] for entry in topic_permissions() if entry["user"] == relay_user(service.name)}
    assert {name for name in CONTRACTS if re.search(pattern, f"{name}.00")} == service.announcements.contracts.keys()


def test_a_relay_may_publish_to_the_exchanges_of_the_groups_what_it_may_publish_to_all(
    broker: TestBroker, servers: AnyServers
) -> None:
    broker.declare(Group("projections", ("*.*.*",), 1))
    url = servers.amqp_url("order_service_relay")
    assert reachable(url, "relay", ["projections", "nowhere"], "orders.order_placed.v1") == {"projections"}
    with pytest.raises(NoSideExchange, match=r"write permission for events\.projections"):
        reachable(url, "relay", ["projections"], FOREIGN)
    assert broker.depth("projections.0") == 0
