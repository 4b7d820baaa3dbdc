"""The replay of an incident makes it happen again."""

from dataclasses import replace
from typing import Any

from devstack.incident.incident import Command, End, Foreign, Incident, Line, Passed, Received
from devstack.incident.records import SERVICES
from tests.shop.support.replay import AnyServers, Replay
from tests.support.databases import Databases

CANCELLED = Incident(
    lines=[Line("sku-1", 2, 350), Line("sku-2", 1, 99)],
    currency="EUR",
    stock={"sku-1": 5, "sku-2": 1},
    card="pm_sim_refund_pending",
    contact=True,
    steps=[
        Command(0.0, "place"),
        Received(0.01, "inventory_service", "orders.order_placed.v1"),
        Received(0.02, "payment_service", "inventory.stock_reserved.v1"),
        Foreign(
            0.03, "order_service", "payments.payment_captured.v1", "UnreadableMessage", '{"order_id": 0}', "skipped"
        ),
        Received(0.04, "order_service", "payments.payment_captured.v1"),
        Command(1.0, "refund part", 100),
        Received(1.01, "payment_service", "payments.part_refund_requested.v1"),
        Passed(11.0, "payment_service", "refund_check"),
        Received(11.01, "payment_service", "payments.refund_check_due.v1"),
        Command(12.0, "cancel"),
        Received(12.01, "inventory_service", "orders.order_confirmed.v1"),
        Received(12.02, "payment_service", "orders.order_cancelled.v1"),
        Received(12.03, "inventory_service", "orders.order_cancelled.v1"),
    ],
    end=End(
        order="cancelled",
        payment="refunded",
        reservation="released",
        events={
            "order": ["order.placed", "order.confirmed", "order.cancelled"],
            "reservation": [
                "reservation.opened",
                "reservation.reserved",
                "reservation.shipped",
                "reservation.released",
            ],
            "payment": [
                "payment.opened",
                "payment.captured",
                "payment.part_requested",
                "payment.part_pending",
                "payment.part_refunded",
                "payment.refunded",
            ],
            "sku-1": ["stock.reserved", "stock.shipped", "stock.returned"],
            "sku-2": ["stock.reserved", "stock.shipped", "stock.returned"],
        },
    ),
    wrong=[],
    notes=[],
)


def without_times(incident: Incident) -> list[dict[str, Any]]:
    return [{**vars(step), "at": 0, "kind": type(step)} for step in incident.steps]


def test_an_incident_that_is_collected_from_its_own_replay_is_the_same_incident(
    servers: AnyServers, database: Databases
) -> None:
    with Replay(CANCELLED, servers, {name: database(name) for name in SERVICES}, copies=2) as replay:
        for step in CANCELLED.steps:
            replay.make(step)
        again = replay.collected()
    assert without_times(again) == without_times(CANCELLED)
    assert replace(again, steps=CANCELLED.steps) == CANCELLED
