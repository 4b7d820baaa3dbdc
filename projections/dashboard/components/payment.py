"""The payment of one order: captured, declined, or refunded, whole or in parts."""

from dash import html
from dash.development.base_component import Component

from projections.dashboard.components import words
from projections.dashboard.components.basic import Content, Tone, empty, mark, pairs
from projections.dashboard.components.event import identifier
from projections.queries.payments import PartRow, PartState, PaymentRow, State


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
    if found.back:
        rows.append(("Refunded", back(found)))
    if found.refund_failed_at:
        reason = words.plainly(found.refund_failure or "").lower()
        rows.append(("Refund failed", [words.moment(found.refund_failed_at), f", {reason}"]))
    if found.state == "refund_pending":
        rows.append(("Refund pending", ["since ", words.moment(found.refund_pending_at)]))
    if found.state == "refund_requested":
        rows.append(("Refund requested", words.moment(found.refund_requested_at)))
    if found.refund_id:
        rows.append(("Refund", identifier(found.refund_id, "refund id")))
    return pairs(*rows, *((f"Part {each.part}", part(each, found.currency)) for each in found.refunds))


def back(found: PaymentRow) -> Content:
    """What the customer has back, and of how much."""
    amount = words.money(found.back, found.currency)
    if found.back != found.amount:
        return f"{amount} of {words.money(found.amount, found.currency)}"
    return [amount, ", ", words.moment(found.refunded_at)] if found.refunded_at else amount


def part(found: PartRow, currency: str | None) -> Content:
    """A refund of a part: its amount, state and reason, and the failure that is still owed."""
    owed = f": {words.plainly(found.failure).lower()}" if found.state == "failed" and found.failure else ""
    return [
        html.Div([f"{words.money(found.amount, currency)} ", mark(*PART_MARKS[found.state])]),
        html.Div([words.moment(found.last_at), f", {found.reason}{owed}"], className="muted"),
    ]


MARKS: dict[State, tuple[str, Tone, str]] = {
    "captured": ("Captured", "good", "card"),
    "declined": ("Declined", "bad", "cross"),
    "charged_late": ("Charged late", "warn", "warning"),
    "refund_pending": ("Refund pending", "info", "clock"),
    "refund_failed": ("Refund failed, still owed", "bad", "warning"),
    "refund_requested": ("Refund requested", "info", "clock"),
    "refunded": ("Refunded", "warn", "back"),
}


PART_MARKS: dict[PartState, tuple[str, Tone, str]] = {
    "requested": ("Requested", "info", "clock"),
    "pending": ("Pending", "info", "clock"),
    "refunded": ("Refunded", "warn", "back"),
    "failed": ("Failed, still owed", "bad", "warning"),
    "taken_over": ("In the refund of the order", "idle", "back"),
}


def payment_mark(found: PaymentRow) -> Component:
    return mark(*MARKS[found.state])
