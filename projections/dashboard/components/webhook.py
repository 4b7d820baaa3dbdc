"""One webhook: its facts, its buttons, its deliveries with their attempts, and what people did to it."""

from collections.abc import Sequence
from datetime import UTC, datetime

from dash import html
from dash.development.base_component import Component

from ordersaga.webhooks.deliveries import DeliveryAttempt, WebhookDelivery
from ordersaga.webhooks.payload import TEST
from ordersaga.webhooks.subscriptions import SubscriptionStatus, WebhookAction
from projections.dashboard.components import words
from projections.dashboard.components.acting import ActButtons
from projections.dashboard.components.basic import Content, empty, mark, pairs
from projections.dashboard.components.table import Column, table
from projections.dashboard.components.webhooks import DELIVERED, address_of, outcome, state

STORE = "webhook-act"
WHY_NOT = "Only operators act on webhooks: sign in as one, or ask one."
FORMATS = {"cloudevents": "CloudEvents", "text": "Text, for a chat"}


def facts(found: SubscriptionStatus, *, in_full: bool) -> Component:
    return pairs(
        ("Address", html.Span(address_of(found, in_full=in_full), className="mono webhook-address")),
        ("Events", html.Span(", ".join(found.events), className="mono")),
        ("State", state(found)),
        ("Pending", waiting(found)),
        ("Failed for good", words.count(found.failed)),
        ("Last delivered", words.moment(found.last_success_at)),
        ("Format", FORMATS[found.format]),
        ("Added", [words.moment(found.created_at), f" by {found.created_by}"]),
        *([("Description", found.description)] if found.description else []),
        *rotation(found.old_secret_until),
    )


def waiting(found: SubscriptionStatus) -> Content:
    if found.oldest_pending_at is None:
        return words.count(found.pending)
    return [f"{words.count(found.pending)}, the oldest since ", words.moment(found.oldest_pending_at)]


def rotation(until: datetime | None) -> list[tuple[str, Content]]:
    return [("Old secret signs until", words.moment(until))] if until and until > datetime.now(UTC) else []


def buttons(found: SubscriptionStatus, *, may_act: bool) -> list[Component]:
    act = ActButtons(STORE, WHY_NOT, may_act)
    return act.row(
        [
            act.one("Send a test", "test", "send", look="main-button"),
            act.one("Retry all failed", "retry-failed", "play", found.failed > 0, "No delivery has failed for good."),
            act.one("Pause", "pause", "pause") if found.state == "active" else act.one("Resume", "resume", "play"),
        ]
    )


def deliveries(found: Sequence[WebhookDelivery], *, may_act: bool, in_full: bool) -> Component:
    """`in_full` shows what the endpoint answered, which may repeat its address."""
    if not found:
        return empty("No delivery yet", "The first message that it subscribes to appears here, as does a test.", "send")

    def act(row: WebhookDelivery) -> Content:
        if row.state != "failed":
            return ""
        return ActButtons(STORE, WHY_NOT, may_act).one("Retry", f"retry {row.id}", "play")

    columns: list[Column[WebhookDelivery]] = [
        Column("Delivery", lambda row: words.count(row.id), "number"),
        Column("State", lambda row: mark(*DELIVERED[row.state]), "nowrap"),
        Column("Event", lambda row: html.Span(row.type, className="mono")),
        Column("Key", lambda row: words.NOTHING if row.type == TEST else words.short(row.key), "wide-only"),
        Column("Made", lambda row: words.moment(row.created_at), "number wide-only"),
        Column("Next attempt", lambda row: words.moment(row.next_attempt_at), "number wide-only"),
        Column("Attempts", lambda row: attempts(row, in_full=in_full), "webhook-cell"),
        Column("", act, "number"),
    ]
    return table("Deliveries, the newest first", columns, found)


def attempts(row: WebhookDelivery, *, in_full: bool) -> Content:
    """The last attempt in a line, which opens to all that are kept."""
    if not row.history:
        return html.Span("None yet", className="muted")
    tried = words.counted(row.attempts, "attempt") if row.attempts else "To be sent again"
    summary = html.Summary(f"{tried}; the last: {outcome(row.history[-1])}")
    lines = [html.Li(attempt_line(each, in_full=in_full)) for each in reversed(row.history)]
    return html.Details([summary, html.Ul(lines, className="webhook-attempts")])


def attempt_line(attempt: DeliveryAttempt, *, in_full: bool) -> list[Component | str]:
    line: list[Component | str] = [words.moment(attempt.at)]
    line.append(f" {outcome(attempt)}, after {words.duration(attempt.seconds)}")
    if attempt.answer and in_full:
        line.append(html.Pre(attempt.answer, className="payload", tabIndex=0))
    return line


def actions(found: Sequence[WebhookAction]) -> Component:
    columns: list[Column[WebhookAction]] = [
        Column("When", lambda row: words.moment(row.acted_at)),
        Column("Who", lambda row: row.actor),
        Column("What", lambda row: words.plainly(row.action)),
        Column("Why", lambda row: row.reason, "muted"),
    ]
    return table("What people did, the newest first", columns, found)
