"""One trace over the whole stack, as a collector gets it; `pytest -rP` prints it as a tree."""

import sys
from secrets import token_hex

from tests.end_to_end.test_saga_over_http import place
from tests.shop.support.whole_stack import WholeStack
from tests.support.collector import Collected, Collector, tree
from tests.support.wait import until

ORDERS, PAYMENTS, STOCK, READ_SIDE = "order_service", "payment_service", "inventory_service", "projections"
REQUEST = ("POST /orders", f"{ORDERS}-api")
PLACED, RESERVED = "orders.order_placed.v1", "inventory.stock_reserved.v1"
DECLINED, CANCELLED = "payments.payment_declined.v1", "orders.order_cancelled.v1"
RELEASED = "inventory.stock_released.v1"
HEARD_BY = {
    PLACED: (STOCK, READ_SIDE),
    RESERVED: (PAYMENTS, READ_SIDE),
    DECLINED: (ORDERS, STOCK, READ_SIDE),
    CANCELLED: (PAYMENTS, STOCK, READ_SIDE),
    RELEASED: (READ_SIDE,),
}
CAUSED_BY = {
    PLACED: REQUEST,
    RESERVED: (f"process {PLACED}", f"{STOCK}-worker"),
    DECLINED: (f"process {RESERVED}", f"{PAYMENTS}-worker"),
    CANCELLED: (f"process {DECLINED}", f"{ORDERS}-worker"),
    RELEASED: (f"process {DECLINED}", f"{STOCK}-worker"),
}
Step = tuple[str, str]


def expected() -> set[tuple[Step, Step]]:
    """Each span with its parent: (name, service)."""
    edges = {(("charge card processor", f"{PAYMENTS}-worker"), (f"process {RESERVED}", f"{PAYMENTS}-worker"))}
    for contract, cause in CAUSED_BY.items():
        source = cause[1].rpartition("-")[0]
        create = (f"create {contract}", cause[1])
        edges |= {(create, cause), ((f"publish {contract}", f"{source}-relay"), create)}
        edges |= {((f"process {contract}", f"{group}-worker"), create) for group in HEARD_BY[contract]}
    return edges


def edges(spans: list[Collected]) -> set[tuple[Step, Step]]:
    by_id = {span.id: span for span in spans}
    found = ((span, by_id[span.parent]) for span in spans if span.parent in by_id)
    return {((span.name, span.service), (parent.name, parent.service)) for span, parent in found}


def test_a_declined_order_is_one_trace_from_its_request_to_its_last_compensation(
    stack: WholeStack, traces: Collector
) -> None:
    trace_id, caller = token_hex(16), token_hex(8)
    order = place(stack, "pm_card_chargeDeclined", traceparent=f"00-{trace_id}-{caller}-01").json()
    assert (order["state"], order["reason"]) == ("cancelled", "payment_declined")
    until(lambda: len(traces.trace(trace_id)) == len(expected()) + 1)
    spans = traces.trace(trace_id)
    sys.stdout.write("\n".join(tree(spans)))
    assert edges(spans) == expected()
    request, *others = spans
    assert (request.name, request.parent, request.kind) == ("POST /orders", caller, "SERVER")
    assert "suspended" in request.events
    assert request.attributes["http.response.status_code"] == 200
    assert request.attributes["http.route"] == "/orders"
    assert not any(span.has_failed for span in spans)
    assert {span.kind for span in others} == {"PRODUCER", "CLIENT", "CONSUMER"}


def test_of_a_request_that_asks_for_no_trace_a_sampler_that_takes_none_records_none(
    stack: WholeStack, traces: Collector
) -> None:
    place(stack)
    seen, asked = token_hex(16), token_hex(16)
    place(stack, traceparent=f"00-{seen}-{token_hex(8)}-00")
    place(stack, traceparent=f"00-{asked}-{token_hex(8)}-01")
    until(lambda: any(span.name == "process orders.order_confirmed.v1" for span in traces.trace(asked)))
    assert traces.trace(seen) == []
    assert {span.name for span in traces.spans if not span.parent} <= {"process batch"}
