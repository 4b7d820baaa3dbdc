"""How an order's state, its steps and its waiting are shown everywhere."""

from dash import dcc, html
from dash.development.base_component import Component

from projections.dashboard.components import words
from projections.dashboard.components.basic import Content, Tone, mark
from projections.dashboard.places import place
from projections.queries.sagas import Saga, Usual, Waiting

WAITS: dict[Waiting, str] = {
    "stock": "stock to be reserved",
    "payment": "the card to be charged",
    "confirmation": "its confirmation",
    "cancellation": "its cancellation",
    "shipment": "the goods to leave",
    "release": "stock to be released",
    "refund": "the money to be given back",
}
LEAST_SLOW_SECONDS = 1.0
"""What takes less is never called slow, however fast it usually is."""


def state_mark(saga: Saga) -> html.Span:
    """The state, and with it whether the saga has ended."""
    text, tone, picture = look(saga)
    return mark(text, tone, picture)


def look(saga: Saga) -> tuple[str, Tone, str]:
    if saga.overdue:
        return "Overdue", "bad", "warning"
    if saga.state == "confirmed":
        return ("Shipping", "info", "truck") if saga.waits_for else ("Completed", "good", "check")
    if saga.state == "cancelled":
        return ("Rolling back", "warn", "back") if saga.waits_for else ("Rolled back", "warn", "back")
    return "Under way", "info", "clock"


def order_link(saga: Saga) -> dcc.Link:
    """A link to the order's page."""
    return dcc.Link(words.short(saga.order_id), href=place(f"orders/{saga.order_id}"))


def total(saga: Saga) -> str:
    return words.money(saga.total, saga.currency)


def is_slow(saga: Saga, usual: Usual | None) -> bool:
    """Whether it has waited longer than 95 of 100 others."""
    return saga.waited_seconds is not None and saga.waited_seconds > max(LEAST_SLOW_SECONDS, usual.p95 if usual else 0)


def waiting_time(saga: Saga, usual: Usual | None) -> Content:
    """How long it has waited, in red when that is unusual."""
    if saga.waited_seconds is None:
        return words.NOTHING
    slow = is_slow(saga, usual)
    text = words.duration(saga.waited_seconds)
    return html.Span([text, " (slow)" if slow else ""], className="text-bad" if slow else "")


def waiting(saga: Saga, usual: Usual | None) -> Component:
    """How long it has waited, beside how long others did."""
    parts: list[Component | str] = ["for ", html.Span(waiting_time(saga, usual))]
    if usual:
        parts.append(f"; usually {words.duration(usual.median)}, 95 % within {words.duration(usual.p95)}")
    return html.Span(parts)


def usual_time(usual: Usual | None) -> str:
    return words.duration(usual.median) if usual else words.NOTHING


def why(saga: Saga) -> str:
    """The reason of a cancellation, in words."""
    return words.plainly(saga.reason) if saga.reason else ""
