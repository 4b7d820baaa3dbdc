"""The payment of one order: captured, declined or refunded."""

from dash.development.base_component import Component

from projections.dashboard.components import words
from projections.dashboard.components.basic import Content, Tone, empty, mark, pairs
from projections.dashboard.components.event import identifier
from projections.queries.payments import PaymentRow, State


def payment(found: PaymentRow | None) -> Component:
    if found is None:
        return empty("No charge is recorded", "")
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
        rows.append(("Charge", identifier(found.charge_id, "charge id")))
    if found.declined_at:
        rows.append(("Declined", [words.moment(found.declined_at), f", {words.plainly(found.decline or '').lower()}"]))
    if found.refunded_at:
        rows.append(("Refunded", [words.money(found.refunded, found.currency), ", ", words.moment(found.refunded_at)]))
    if found.refund_failed_at:
        reason = words.plainly(found.refund_failure or "").lower()
        rows.append(("Refund failed", [words.moment(found.refund_failed_at), f", {reason}"]))
    if found.state == "refund_pending":
        rows.append(("Refund pending", ["since ", words.moment(found.refund_pending_at)]))
    if found.state == "refund_requested":
        rows.append(("Refund requested", words.moment(found.refund_requested_at)))
    if found.refund_id:
        rows.append(("Refund", identifier(found.refund_id, "refund id")))
    return pairs(*rows)


MARKS: dict[State, tuple[str, Tone, str]] = {
    "captured": ("Captured", "good", "card"),
    "declined": ("Declined", "bad", "cross"),
    "charged_late": ("Charged late", "warn", "warning"),
    "refund_pending": ("Refund pending", "info", "clock"),
    "refund_failed": ("Refund failed, still owed", "bad", "warning"),
    "refund_requested": ("Refund requested", "info", "clock"),
    "refunded": ("Refunded", "warn", "back"),
}


def payment_mark(found: PaymentRow) -> Component:
    return mark(*MARKS[found.state])
