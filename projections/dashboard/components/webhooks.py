"""Webhooks: the table of subscriptions, the marks of their states, and how one is added."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit
from uuid import UUID

from dash import dcc, html
from dash.development.base_component import Component

from ordersaga.webhooks.deliveries import DeliveryAttempt, WebhookDelivery
from ordersaga.webhooks.subscriptions import Subscription, SubscriptionStatus
from projections.dashboard import addresses
from projections.dashboard.components import words
from projections.dashboard.components.basic import Tone, empty, mark
from projections.dashboard.components.table import Column, table

STATES: dict[str, tuple[str, Tone, str]] = {
    "active": ("Active", "good", "check"),
    "paused": ("Paused", "warn", "pause"),
    "disabled": ("Disabled", "bad", "cross"),
}
DELIVERED: dict[str, tuple[str, Tone, str]] = {
    "pending": ("Pending", "info", "clock"),
    "delivered": ("Delivered", "good", "check"),
    "failed": ("Failed for good", "bad", "cross"),
}
SMALL = "muted small"
ADD = "./ordersaga webhooks add https://hooks.example/orders 'orders.*' --reason \"the warehouse asks for it\""
NOBODY = "No other system gets messages or alarms. A subscription is added as it says below."


def subscriptions(
    found: Sequence[SubscriptionStatus], newest: Mapping[UUID, WebhookDelivery], *, in_full: bool
) -> Component:
    """`in_full` shows whole addresses, which may be secrets."""
    if not found:
        return empty("No webhook", NOBODY, "send")
    columns: list[Column[SubscriptionStatus]] = [
        Column("Address", lambda row: address_cell(row, in_full=in_full), "webhook-cell"),
        Column("Events", lambda row: html.Span(", ".join(row.events), className="mono"), "wide-only"),
        Column("State", state),
        Column("Pending", lambda row: words.count(row.pending), "number"),
        Column("Oldest", lambda row: words.moment(row.oldest_pending_at), "number wide-only"),
        Column("Failed", lambda row: words.count(row.failed), "number"),
        Column("Last delivery", lambda row: last_delivery(newest.get(row.id))),
    ]
    return table("Webhooks", columns, found)


def address_cell(row: SubscriptionStatus, *, in_full: bool) -> list[Component]:
    link = dcc.Link(html.B(address_of(row, in_full=in_full)), href=addresses.webhook(row.id))
    return [link, *([html.Div(row.description, className="muted")] if row.description else [])]


def address_of(row: Subscription, *, in_full: bool) -> str:
    """Whole, or without what may be a secret: the path of a chat's address is one."""
    return row.url if in_full else f"{urlsplit(row.url).hostname} (address for operators alone)"


def state(row: Subscription) -> list[Component]:
    """The state with its reason, and how long its endpoint has failed."""
    lines = [row.state_reason] if row.state_reason else []
    if row.failures and row.failing_since:
        lines.append(f"{words.counted(row.failures, 'failed attempt')} since {words.clock(row.failing_since)}")
    return [mark(*STATES[row.state]), *(html.Div(line, className=SMALL) for line in lines)]


def last_delivery(found: WebhookDelivery | None) -> list[Component | str]:
    if found is None:
        return [words.NOTHING]
    if not found.history:
        return [mark(*DELIVERED[found.state]), html.Div(words.moment(found.created_at), className=SMALL)]
    attempt = found.history[-1]
    when = html.Div([words.moment(attempt.at), f", {outcome(attempt)}"], className=SMALL)
    return [mark(*DELIVERED[found.state]), when]


def outcome(attempt: DeliveryAttempt) -> str:
    """What came of an attempt: the error, or the status of the answer."""
    return attempt.error or f"it answered {attempt.status}"


def how_to_add() -> list[Component]:
    return [
        html.P("On the command line, which prints the secret once and never again:"),
        html.Pre(ADD, className="payload", tabIndex=0),
        html.P("Or over HTTP: POST /webhooks of the read side. Rotating a secret and removing are there too."),
    ]
