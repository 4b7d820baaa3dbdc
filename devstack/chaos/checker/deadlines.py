"""Deadlines: no order is confirmed long after the time by which it had to be complete."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from devstack.chaos.checker.evidence import Evidence
from devstack.chaos.verdict import OK, UNEXPECTED, Offence, Verdict
from order_service.order import Order

QUESTION = "Is every order that was not confirmed by its deadline cancelled, and not confirmed later?"
GRACE = timedelta(seconds=20)
"""A worker may be away at the deadline, and meet the payment before it when it is back."""

CONFIRMED = "select originator_id, recorded_at from stored_events where topic = %(topic)s"


def deadlines(evidence: Evidence) -> Verdict:
    rows = evidence.rows("order_service", CONFIRMED, topic=Order.Confirmed.TOPIC)
    return judge(evidence.books.orders, rows)


def judge(orders: Iterable[Order], confirmed: Iterable[Any]) -> Verdict:
    """`confirmed` has the id of each order that was ever confirmed, and when."""
    by = {order.id: order.complete_by for order in orders}
    counts, offences = {OK: 0, UNEXPECTED: 0}, []
    for id_, at in confirmed:
        complete_by = by.get(id_)
        late = complete_by is not None and at - complete_by > GRACE
        counts[UNEXPECTED if late else OK] += 1
        if late:
            offences.append(Offence(f"order {id_}", f"had to be complete by {complete_by}, and was confirmed at {at}"))
    return Verdict("deadlines", QUESTION, counts, offences)
