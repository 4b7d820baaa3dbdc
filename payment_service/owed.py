"""The payments that keep money of a cancelled order: their refund has failed, or is pending for days."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import Connection

from ordersaga.service import Unsettled
from ordersaga.store import aggregates
from payment_service.payment import Payment

PENDING = timedelta(days=10)
"""The longest that a refund usually takes to reach the customer; a pending one is expected until then."""
PAGE = 1000
EVER_OWED = "select distinct originator_id from stored_events where topic = any(%s) order by originator_id"


def owed(connection: Connection[Any]) -> Iterator[Unsettled]:
    """Every payment that needs a person."""
    topics = [Payment.RefundFailed.TOPIC, Payment.RefundPending.TOPIC]
    ids = [row[0] for row in connection.execute(EVER_OWED, (topics,))]
    for start in range(0, len(ids), PAGE):
        for history in aggregates.load(connection, ids[start : start + PAGE]).values():
            payment = history.aggregate
            if isinstance(payment, Payment) and (detail := why_owed(payment)):
                yield Unsettled(payment.id, payment.modified_on, f"order {payment.id}: {detail}")


def why_owed(payment: Payment) -> str:
    money = f"{payment.amount} {payment.currency} (minor units) of charge {payment.charge_id}"
    if payment.state == "refund_failed":
        return f"the refund of {money} has failed ({payment.reason}): POST /payments/{payment.id}/refund tries it again"
    if payment.state == "refund_pending" and datetime.now(UTC) - payment.modified_on > PENDING:
        return f"refund {payment.refund_id} of {money} is pending since {payment.modified_on:%Y-%m-%d}"
    return ""
