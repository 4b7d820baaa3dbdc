"""What the read side does with a forked history, and what a person can do with a message that it parked."""

from dataclasses import replace
from uuid import uuid4

from contracts.contract import Contract
from contracts.orders import OrderCancelled, OrderConfirmed, OrderLine, OrderPlaced
from ordersaga.consumer.receiver import Receiver
from ordersaga.envelope.message import message_id, to_properties
from ordersaga.inbox.delivery import Delivery, Received, read
from ordersaga.parked import dry_run as dry_runs
from ordersaga.parked import operations, table
from ordersaga.parked.retries import Retries
from ordersaga.readside.projector import Projector
from projections.service import projections as read_side
from tests.support.databases import Databases
from tests.support.parking import ALICE, NoSteps, delivery
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


def test_a_read_side_of_before_a_rollout_holds_a_new_contract_and_one_of_after_it_logs_all_in_order(
    database: Databases,
) -> None:
    projections, newer, order_id = database("projections"), read_side.handler(), uuid4()
    known = {name: contract for name, contract in newer.contracts.items() if contract is not OrderConfirmed}
    older = Projector(known, read_side.fold)
    line = OrderLine(sku="cup", quantity=1, unit_price=700)
    placed = OrderPlaced(
        order_id=order_id, customer="bob", lines=(line,), total=700, currency="EUR", card="pm_card_visa"
    )
    said: list[Contract] = [placed, OrderConfirmed(order_id=order_id), OrderCancelled(order_id=order_id, reason="late")]
    with projections.connect() as connection:
        for sequence, data in enumerate(said, 1):
            message = replace(
                counted(order_id, sequence),
                id=message_id(data.SOURCE, order_id, sequence, data.NAME),
                contract=data.NAME,
                source=data.SOURCE,
                body=data.model_dump_json(),
            )
            receiver = Receiver("projections", older)
            receiver.receive(connection, receiver.read([delivery(message)]))
        assert projections.rows("select sequence from event_log") == [(1,)]
        parked = projections.rows("select state, error from parked_messages order by position")
        assert parked == [("retrying", "UnknownContract"), ("waiting", "")]
        for handler in (older, newer):
            retries = Retries(handler, NoSteps())  # type: ignore[arg-type]
            for _ in range(4):
                retries.step(connection)
    assert projections.rows("select sequence from event_log order by position") == [(1,), (2,), (3,)]
    assert projections.rows("select * from parked_messages") == []


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
