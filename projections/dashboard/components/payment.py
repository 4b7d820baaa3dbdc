"""The payment of one order: captured, declined or refunded."""

from dash.development.base_component import Component

from projections.dashboard.components import words
from projections.dashboard.components.basic import Content, empty, mark, pairs
from projections.dashboard.components.event import identifier
from projections.queries.payments import PaymentRow


def payment(found: PaymentRow | None) -> Component:
    if found is None:
        return empty("The card has not been charged", "")
    rows: list[tuple[str, Content]] = [("State", payment_mark(found))]
    if found.amount is not None:
        rows.append(
            (
                "Charged",
                [
                    words.money(found.amount, found.currency),
                    ", ",
                    words.moment(found.captured_at or found.late_charge_at),
                ],
            )
        )
    if found.charge_id:
        rows.append(("Charge", identifier(found.charge_id)))
    if found.declined_at:
        rows.append(("Declined", [words.moment(found.declined_at), f", {words.plainly(found.decline or '').lower()}"]))
    if found.refunded_at:
        rows.append(("Refunded", [words.money(found.refunded, found.currency), ", ", words.moment(found.refunded_at)]))
    if found.refund_id:
        rows.append(("Refund", identifier(found.refund_id)))
    return pairs(*rows)


def payment_mark(found: PaymentRow) -> Component:
    if found.state == "captured":
        return mark("Captured", "good", "card")
    if found.state == "declined":
        return mark("Declined", "bad", "cross")
    return mark("Refunded", "warn", "back") if found.state == "refunded" else mark("Charged late", "warn", "warning")
