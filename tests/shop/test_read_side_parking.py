"""What the read side does with a forked history, and what a person can do with a message that it parked."""

from dataclasses import replace
from uuid import uuid4

from contracts.orders import OrderConfirmed
from ordersaga.consumer.receiver import Receiver
from ordersaga.envelope.message import message_id, to_properties
from ordersaga.inbox.delivery import Delivery, Received, read
from ordersaga.parked import dry_run as dry_runs
from ordersaga.parked import operations, table
from projections.service import projections as read_side
from tests.support.databases import Databases
from tests.support.parking import ALICE, delivery
from tests.support.workers import counted


def test_the_read_side_logs_one_history_and_quarantines_the_other(database: Databases) -> None:
    projections, order_id = database("projections"), uuid4()
    data = OrderConfirmed(order_id=order_id)
    message = replace(
        counted(order_id, 2),
        id=message_id("order_service", order_id, 2, data.NAME),
        contract=data.NAME,
        source="order_service",
        body=data.model_dump_json(),
    )
    receiver = Receiver("projections", read_side.handler())
    with projections.connect() as connection:
        for each in (message, message, replace(message, event_hash=bytes(range(32)))):
            properties = to_properties(each)
            arrived = Delivery(0, each.routing_key, properties.headers, each.body.encode())
            receiver.receive(connection, receiver.read([arrived]))
    assert projections.rows("select message_id, event_hash from event_log") == [(message.id, message.event_hash)]
    assert projections.rows("select state, error from parked_messages") == [("dead", "ForkedHistory")]


def test_the_read_side_can_be_dry_run_and_skipped_too(database: Databases) -> None:
    store, projector = database("projections"), read_side.handler()
    data = OrderConfirmed(order_id=uuid4())
    message = replace(counted(data.order_id, 1), contract=data.NAME, source=data.SOURCE, body=data.model_dump_json())
    received = read(delivery(message), projector.contracts)
    assert isinstance(received, Received)
    with store.connect() as connection:
        table.append(
            connection, [table.NewlyParked(received.id, received.key, received.contract, received.delivery, "dead")]
        )
        run = dry_runs.dry_run(connection, received.id, projector)
        written, row = run.rows[0]
        assert (written, row["message_id"]) == ("event_log", str(received.id))
        operations.skip(connection, received.id, ALICE)
        Receiver("projections", projector).receive(connection, [received])
    assert store.rows("select * from event_log") == []
