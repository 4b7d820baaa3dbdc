"""The payments of which money is owed: a refund has failed, or is pending for days."""

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
    kinds = (Payment.RefundFailed, Payment.RefundPending, Payment.PartFailed, Payment.PartPending)
    topics = [kind.TOPIC for kind in kinds]
    ids = [row[0] for row in connection.execute(EVER_OWED, (topics,))]
    for start in range(0, len(ids), PAGE):
        for history in aggregates.load(connection, ids[start : start + PAGE]).values():
            payment = history.aggregate
            if isinstance(payment, Payment) and (detail := why_owed(payment)):
                yield Unsettled(payment.id, payment.modified_on, f"order {payment.id}: {detail}")


def why_owed(payment: Payment) -> str:
    """Each refund that needs a person, in one line; empty if there is none."""
    is_old = datetime.now(UTC) - payment.modified_on > PENDING
    found = []
    if payment.state == "refund_failed":
        found.append(failed(f"the refund of {money(payment, payment.refund_amount)}", payment.reason))
    elif payment.state == "refund_pending" and is_old:
        found.append(pending(payment, payment.refund_id, payment.refund_amount))
    for part in payment.parts:
        if part["state"] == "failed":
            found.append(failed(f"refund {part['number']}, of {money(payment, part['amount'])},", part["failure"]))
        elif part["state"] == "pending" and is_old:
            found.append(pending(payment, part["refund_id"], part["amount"]))
    again = (
        f": POST /payments/{payment.id}/refund tries it again" if any("has failed" in line for line in found) else ""
    )
    return "; ".join(found) + again


def money(payment: Payment, amount: int) -> str:
    return f"{amount} {payment.currency} (minor units) of charge {payment.charge_id}"


def failed(subject: str, reason: str) -> str:
    return f"{subject} has failed ({reason})"


def pending(payment: Payment, refund_id: str, amount: int) -> str:
    return f"refund {refund_id} of {money(payment, amount)} is pending since {payment.modified_on:%Y-%m-%d}"
