"""The verdict over deadlines names an order that is confirmed long after its time, and no other."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from devstack.chaos.checker import deadlines
from order_service.order import Order, PricedLine

NOW = datetime.now(UTC)
LINES = [PricedLine(sku="tea", quantity=1, unit_price=890)]


def test_only_who_is_confirmed_after_deadline_and_grace_offends() -> None:
    orders = [Order.place(uuid4(), "ann", LINES, "EUR", "visa", complete_by) for complete_by in (NOW, NOW, NOW, None)]
    grace, moment = deadlines.GRACE, timedelta(seconds=1)
    times = (NOW, NOW + grace, NOW + grace + moment, NOW + 9 * grace)
    confirmed = [(order.id, at) for order, at in zip(orders, times, strict=True)]
    verdict = deadlines.judge(orders, confirmed)
    assert [offence.subject for offence in verdict.offences] == [f"order {orders[2].id}"]
    assert verdict.counts == {"ok": 3, "unexpected": 1}
