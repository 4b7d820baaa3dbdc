"""One order's way through the whole stack, and the whole stack through crashes."""

from typing import Any
from uuid import UUID, uuid4

import pytest
import requests

from devstack.demo.scenarios import PRODUCTS
from devstack.demo.traffic import Traffic
from tests.shop.support.whole_stack import WholeStack
from tests.support.wait import until

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"
HEARD_OF = {
    "confirmed": {
        "orders.order_placed.v1",
        "inventory.stock_reserved.v1",
        "payments.payment_captured.v1",
        "orders.order_confirmed.v1",
        "inventory.stock_shipped.v1",
    },
    "payment_declined": {
        "orders.order_placed.v1",
        "inventory.stock_reserved.v1",
        "payments.payment_declined.v1",
        "orders.order_cancelled.v1",
        "inventory.stock_released.v1",
    },
    "out_of_stock": {"orders.order_placed.v1", "inventory.stock_rejected.v1", "orders.order_cancelled.v1"},
}


def place(stack: WholeStack, card: str = "pm_card_visa", quantity: int = 1, **headers: str) -> requests.Response:
    return requests.post(
        f"{stack.url('orders-api')}/orders",
        json={"lines": [{"sku": "tea", "quantity": quantity}, {"sku": "cup", "quantity": 2}], "card": card},
        headers={
            "Authorization": f"Bearer {stack.token('customer', 'alice')}",
            "Idempotency-Key": str(uuid4()),
            "Prefer": "wait=20",
            **headers,
        },
        timeout=30,
    )


def log_of(stack: WholeStack, order_id: str) -> list[tuple[Any, ...]]:
    return stack.rows(
        "projections", "select contract, traceparent, tracestate, actor from event_log where key = %s", order_id
    )


@pytest.mark.parametrize(
    ("card", "quantity", "end"),
    [
        ("pm_card_visa", 1, "confirmed"),
        ("pm_card_chargeDeclined", 1, "payment_declined"),
        ("pm_card_visa", 10_000, "out_of_stock"),
        ("pm_sim_timeout_after_charge", 1, "confirmed"),
        ("pm_sim_charged_500", 1, "confirmed"),
        ("pm_sim_stored_500_2", 1, "confirmed"),
    ],
)
def test_an_order_ends_and_every_service_and_the_event_log_hear_of_it(
    stack: WholeStack, card: str, quantity: int, end: str
) -> None:
    if end == "out_of_stock":
        on_hand = requests.get(
            f"{stack.url('inventory-api')}/stock/tea",
            headers={"Authorization": f"Bearer {stack.token('operator', 'olga')}"},
            timeout=10,
        ).json()["on_hand"]
        orders = on_hand // quantity + 1
    else:
        orders = 1
    answers = [place(stack, card, quantity) for _ in range(orders)]
    order = answers[-1].json()
    assert answers[-1].status_code == 200
    assert order["state"] == ("confirmed" if end == "confirmed" else "cancelled")
    assert order["reason"] == (None if end == "confirmed" else end)
    heard = until(lambda: {row[0] for row in log_of(stack, order["order_id"])} >= HEARD_OF[end])
    assert heard
    assert {row[0] for row in log_of(stack, order["order_id"])} == HEARD_OF[end]


def test_a_failed_refund_is_owed_by_all_books_until_an_operator_has_it_made_again(stack: WholeStack) -> None:
    shop = stack.shop()
    order_id = UUID(place(stack, "pm_sim_refund_failed").json()["order_id"])
    shop.cancel("alice", order_id)
    until(lambda: shop.payment_of(order_id)["state"] == "refund_failed")
    until(lambda: [found.subject for found in stack.violations()] == [f"order {order_id}"])
    [found] = stack.command("reconcile")["findings"]
    assert (found["kind"], found["key"]) == ("unsettled", str(order_id))
    shop.refund_again(order_id, "the customer has a new card")
    until(lambda: shop.payment_of(order_id)["state"] == "refunded")
    until(lambda: not stack.violations())
    assert stack.command("reconcile")["findings"] == []


def test_an_order_that_is_cancelled_while_its_charge_is_parked_is_never_charged(stack: WholeStack) -> None:
    shop = stack.shop()
    order_id = UUID(place(stack, "pm_sim_error_500_20", Prefer="wait=0").json()["order_id"])
    until(lambda: stack.rows("payment_service", "select from parked_messages where key = %s", str(order_id)))
    shop.cancel("alice", order_id)
    until(lambda: not stack.violations(), seconds=20)
    assert shop.payment_of(order_id)["state"] == "voided"
    assert [charge for charge in shop.ledger()["charges"] if charge["order_id"] == str(order_id)] == []


def test_the_callers_trace_reaches_the_last_projection(stack: WholeStack) -> None:
    order = place(stack, traceparent=TRACEPARENT, tracestate="vendor=value").json()
    until(lambda: len(log_of(stack, order["order_id"])) == len(HEARD_OF["confirmed"]))
    for _, traceparent, tracestate, actor in log_of(stack, order["order_id"]):
        assert traceparent.split("-")[1] == TRACE_ID
        assert (tracestate, actor) == ("vendor=value", "alice")


def test_killing_relay_and_workers_under_load_loses_nothing_and_charges_nobody_twice(stack: WholeStack) -> None:
    shop = stack.shop()
    for sku in PRODUCTS:
        shop.receive(sku, 1000)
    traffic = Traffic(stack.shop, rate=10)
    traffic.start()
    try:
        for victim in ("orders-relay", "payments-worker", "inventory-worker", "projections-worker"):
            placed = traffic.placed
            until(lambda placed=placed: traffic.placed >= placed + 10)  # type: ignore[misc]
            stack.kill(victim)
        placed = traffic.placed
        until(lambda: traffic.placed >= placed + 20)
    finally:
        traffic.stop()
    assert traffic.failed == 0
    until(lambda: not stack.violations(), seconds=60, every=0.5)
    until(lambda: stack.status()["ready"], seconds=30, every=0.5)
