"""What a person does about one order: its buttons, the parked message that it waits for, and what came of an action."""

from collections.abc import Sequence
from uuid import UUID

from dash import dcc, html
from dash.development.base_component import Component

from ordersaga.http.parked_views import ParkedRow
from projections.dashboard import addresses
from projections.dashboard.components import words
from projections.dashboard.components.acting import ActButtons
from projections.dashboard.components.basic import button, mark, notice, press
from projections.dashboard.components.kinds import kind_of
from projections.dashboard.components.parked import STATES
from projections.dashboard.services import ParkedAt
from projections.queries.payments import PaymentRow
from projections.queries.timeline import Timeline

STORE = "order-act"
WHY_NOT = "Only operators act on orders: sign in as one, or ask one."
COMPENSATED = "Stock that it holds is released, and a charge is refunded."
AMOUNT_WRONG = "Enter the amount to refund first, such as 5.00."
NOT_REFUNDABLE = "Only a captured payment with something left is refunded in parts."
NOTE_MISSING = "Enter the note first: it is recorded with your name."


def buttons(found: Timeline, may_act: bool) -> list[Component]:
    is_cancelled = found.saga.state == "cancelled"
    refund_failed = found.payment is not None and found.payment.state == "refund_failed"
    has_left = refundable(found.payment) > 0 and not is_cancelled
    act = ActButtons(STORE, WHY_NOT, may_act)
    return act.row(
        [
            act.one("Add note", "note", "plus"),
            act.one("Refund a part", "part", "back", has_left, NOT_REFUNDABLE),
            act.one("Refund again", "refund", "card", refund_failed, "No refund of this order has failed."),
            act.one("Cancel order", "cancel", "cross", not is_cancelled, "It is cancelled already.", "danger-button"),
        ]
    )


def refundable(found: PaymentRow | None) -> int:
    """Minor units of which another part may be refunded, as far as the read side knows."""
    if found is None or found.amount is None or found.captured_at is None or found.rest_at:
        return 0
    return found.amount - sum(part.amount for part in found.refunds)


def part_confirmation(found: PaymentRow | None, amount: int, key: UUID) -> Component:
    """Asks before a part is refunded; `key` makes it one refund, however often the button is pressed."""
    left = refundable(found)
    if found is None or not left:
        return notice(NOT_REFUNDABLE, "warn", "warning")
    shown, of = words.money(amount, found.currency), words.money(left, found.currency)
    if amount > left:
        return notice(f"{shown} is more than the {of} that are left to refund.", "warn", "warning")
    return html.Div(
        [
            notice(f"This refunds {shown} of the {of} that are left. The order stays as it is.", "warn", "warning"),
            html.Div(
                [
                    button(
                        f"Yes, refund {shown}", press(STORE, f"part-sure {amount} {key}"), "back", look="danger-button"
                    ),
                    button("No, refund nothing", press(STORE, "keep"), "cross"),
                ],
                className="buttons",
            ),
        ],
        className="event-detail",
    )


def confirmation(state: str) -> Component:
    """Asks before an order is cancelled."""
    paid = "It is confirmed: its payment is refunded, its stock returned." if state == "confirmed" else COMPENSATED
    return html.Div(
        [
            notice(f"This cancels the order for good. {paid}", "warn", "warning"),
            html.Div(
                [
                    button("Yes, cancel the order", press(STORE, "cancel-sure"), "cross", look="danger-button"),
                    button("Keep it", press(STORE, "keep"), "back"),
                ],
                className="buttons",
            ),
        ],
        className="event-detail",
    )


def parked(places: Sequence[ParkedAt], may_act: bool) -> list[Component]:
    """The parked messages of the order, of which the first blocks the others; and the services that do not answer."""
    lines: list[Component] = []
    for place in places:
        rows = place.found.messages if place.found else []
        lines += [blocker(place.service, row, may_act) for row in rows if row.state != "waiting"]
        if place.problem:
            said = f"Whether a message of it is parked at {words.service(place.service)} is unknown: {place.problem}"
            lines.append(notice(said, "warn", "warning"))
    return lines


def blocker(service: str, row: ParkedRow, may_act: bool) -> Component:
    """A message that a service refused: what it is, and the ways to act on it."""
    text, tone, icon_name = STATES[row.state]
    name = kind_of(row.contract).text if row.contract else "a message"
    said = f"{name} is parked at {words.service(service)}: {row.error}"
    verb = f"retry {service} {row.message_id} {row.refused_by} {row.version}"
    return html.Div(
        [
            mark(text, tone, icon_name),
            html.Span(said),
            dcc.Link("Parked message", href=addresses.parked_message(service, row.refused_by, row.message_id)),
            ActButtons(STORE, WHY_NOT, may_act).one("Retry", verb, "play", look="main-button"),
        ],
        className="order-parked",
    )
