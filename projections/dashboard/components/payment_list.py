"""The table of payments."""

from collections.abc import Sequence

from dash import dcc
from dash.development.base_component import Component

from projections.dashboard import addresses
from projections.dashboard.components import words
from projections.dashboard.components.basic import Content, empty
from projections.dashboard.components.copying import copyable
from projections.dashboard.components.payment import payment_mark
from projections.dashboard.components.table import Column, table
from projections.queries.payments import PaymentRow


def payments(rows: Sequence[PaymentRow]) -> Component:
    if not rows:
        return empty("No payment", "No payment is in this state.", "card")
    columns: list[Column[PaymentRow]] = [
        Column("State", payment_mark),
        Column("Order", lambda row: dcc.Link(words.short(row.order_id), href=addresses.order(row.order_id))),
        Column("Amount", lambda row: words.money(row.amount, row.currency), "number"),
        Column("Refunded", lambda row: words.money(row.back, row.currency) if row.back else "", "number"),
        Column("Charge", lambda row: copyable(row.charge_id, "charge id") if row.charge_id else words.NOTHING),
        Column("Why", why, "muted wide-only"),
        Column("Changed", changed, "number"),
    ]
    return table("Payments, the last changed first", columns, rows)


def why(row: PaymentRow) -> str:
    """The reason of a decline or of a failed refund."""
    failed = next((part.failure for part in row.refunds if part.state == "failed"), row.refund_failure)
    reason = failed if row.state == "refund_failed" else row.decline
    return words.plainly(reason) if reason else ""


def changed(row: PaymentRow) -> Content:
    return dcc.Link(words.moment(row.last_at), href=addresses.payment(row.order_id))
