"""How an order's state and its waiting time are shown, on every page."""

from dash import dcc, html
from dash.development.base_component import Component

from projections.dashboard.addresses import address
from projections.dashboard.components import words
from projections.dashboard.components.basic import Content, Tone, mark
from projections.queries.sagas import Saga, UsualWait, Waiting

WAITS: dict[Waiting, str] = {
    "stock": "stock reservation",
    "payment": "payment",
    "confirmation": "confirmation",
    "cancellation": "cancellation",
    "shipment": "shipment",
    "release": "stock release",
    "refund": "refund",
}
LEAST_SLOW_SECONDS = 1.0
"""A shorter wait is never marked as slow, however short the usual wait is."""


def state_mark(saga: Saga) -> html.Span:
    """The state, and whether the order has ended."""
    text, tone, icon_name = shown_state(saga)
    return mark(text, tone, icon_name)


def shown_state(saga: Saga) -> tuple[str, Tone, str]:
    """Text, tone and icon; the text begins with the state."""
    if saga.state == "confirmed":
        return ("Confirmed, shipping", "info", "truck") if saga.waits_for else ("Confirmed", "good", "check")
    if saga.state == "cancelled" and saga.refund == "failed":
        return ("Cancelled, refund failed", "bad", "warning")
    if saga.state == "cancelled":
        return ("Cancelled, compensating", "warn", "clock") if saga.waits_for else ("Cancelled", "warn", "back")
    if saga.placed_at is None:
        return "Placed, not known to orders", "bad", "warning"
    return ("Placed, overdue", "bad", "warning") if saga.overdue else ("Placed", "info", "clock")


def order_link(saga: Saga) -> dcc.Link:
    """A link to the order's page."""
    return dcc.Link(words.short(saga.order_id), href=address(f"orders/{saga.order_id}"))


def total(saga: Saga) -> str:
    return words.money(saga.total, saga.currency)


def is_slow(saga: Saga, usual: UsualWait | None) -> bool:
    """Whether the order has waited longer than 95 of 100 others."""
    return saga.waited_seconds is not None and saga.waited_seconds > max(LEAST_SLOW_SECONDS, usual.p95 if usual else 0)


def waiting_time(saga: Saga, usual: UsualWait | None) -> Content:
    """The time waited, in red where it is unusual."""
    if saga.waited_seconds is None:
        return words.NOTHING
    slow = is_slow(saga, usual)
    text = words.duration(saga.waited_seconds)
    return html.Span([text, " (slow)" if slow else ""], className="text-bad" if slow else "")


def waiting(saga: Saga, usual: UsualWait | None) -> Component:
    """The time waited and the usual time."""
    parts: list[Component | str] = ["for ", html.Span(waiting_time(saga, usual))]
    if usual:
        parts.append(f"; usually {words.duration(usual.median)}, 95 % within {words.duration(usual.p95)}")
    return html.Span(parts)


def usual_time(usual: UsualWait | None) -> str:
    return words.duration(usual.median) if usual else words.NOTHING


def reason(saga: Saga) -> str:
    """The reason of a cancellation as text."""
    return words.plainly(saga.reason) if saga.reason else ""
