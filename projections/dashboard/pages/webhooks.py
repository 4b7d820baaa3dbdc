"""Webhooks: who gets which messages, and whether they arrive; the address of one shows its deliveries."""

from collections.abc import Callable, Sequence
from typing import Any

from dash import Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from ordersaga.webhooks.subscriptions import SubscriptionStatus
from projections.dashboard import addresses
from projections.dashboard.components import webhook, webhooks
from projections.dashboard.components.basic import Content, card, empty, skeleton
from projections.dashboard.components.unchanged import fingerprint
from projections.dashboard.page import Page
from projections.dashboard.pages import webhook_actions
from projections.dashboard.reading import Reader, WebhookInFull
from projections.dashboard.shell import SLOW, page_frame
from projections.dashboard.viewer import Viewer, viewer

MAX_ROWS = 50
INTRO = "Messages and alarms that are sent to other systems, signed, and repeated until they arrive."
REGIONS = ("facts", "buttons", "deliveries", "actions")


def layout(subscription_id: str) -> Component:
    if subscription_id:
        return one_layout(subscription_id)
    return page_frame(
        "Webhooks",
        card("Subscriptions", html.Div(skeleton(200), id="webhooks-rows"), flush=True),
        card("Add a subscription", webhooks.how_to_add()),
        dcc.Store(id="webhooks-shown"),
        intro=INTRO,
    )


def one_layout(subscription_id: str) -> Component:
    if addresses.parse_id(subscription_id) is None:
        return page_frame("Webhook", unknown(subscription_id))
    newest = f"The newest {MAX_ROWS}; an attempt opens with what was answered"
    return page_frame(
        "Webhook",
        html.Div(
            [
                card("Subscription", html.Div(skeleton(240), id="webhook-facts"), wide=6),
                webhook_actions.actions_card(),
            ],
            className="grid",
        ),
        card("Deliveries", html.Div(skeleton(240), id="webhook-deliveries"), note=newest, flush=True),
        card("What people did", html.Div(skeleton(120), id="webhook-actions"), note="Newest first", flush=True),
        dcc.Store(id="webhook-id", data=subscription_id),
        dcc.Store(id="webhook-shown", data=[]),
        tools=dcc.Link("All webhooks", href=addresses.address("webhooks")),
    )


def callbacks(app: Dash, reader: Reader) -> None:
    webhook_actions.callbacks(app, reader.services)

    @app.callback(
        Output("webhooks-rows", "children"),
        Output("webhooks-shown", "data"),
        Input(SLOW, "data"),
        State("webhooks-shown", "data"),
    )
    def refresh(_: int, shown: int | None) -> tuple[Any, Any]:
        found, newest = reader.webhooks()
        now = seen(found, newest)
        if now == shown:
            return no_update, no_update
        return webhooks.subscriptions(found, newest, in_full=viewer().may_act), now

    @app.callback(
        *(Output(f"webhook-{region}", "children") for region in REGIONS),
        Output("webhook-shown", "data"),
        Input(SLOW, "data"),
        Input("webhook-changes", "data"),
        State("webhook-id", "data"),
        State("webhook-shown", "data"),
    )
    def show(_: int, __: int, subscription_id: str, shown: list[int]) -> tuple[Any, ...]:
        found_id = addresses.parse_id(subscription_id)
        found = reader.webhook(found_id, MAX_ROWS) if found_id else None
        return (*changed(found, shown, viewer()),) if found else (unknown(subscription_id), None, None, None, [])


def changed(found: WebhookInFull, shown: list[int], person: Viewer) -> list[Any]:
    """Each region that shows something else than before, and the fingerprints: redrawing closes an open attempt."""
    status, may_act = found.status, person.may_act
    regions: list[tuple[int, Callable[[], Content]]] = [
        (seen([status]), lambda: webhook.facts(status, in_full=may_act)),
        (fingerprint(status.state, status.failed > 0), lambda: webhook.buttons(status, may_act=may_act)),
        (
            fingerprint(found.deliveries),
            lambda: webhook.deliveries(found.deliveries, may_act=may_act, in_full=may_act),
        ),
        (fingerprint(found.actions), lambda: webhook.actions(found.actions)),
    ]
    now = [each for each, _ in regions]
    before = shown or [-1] * len(now)
    return [*(no_update if old == new else make() for old, (new, make) in zip(before, regions, strict=True)), now]


def seen(found: Sequence[SubscriptionStatus], *more: object) -> int:
    """Positions move with every message of the log, and are not shown."""
    return fingerprint([each.model_dump(exclude={"position", "alarm_position"}) for each in found], *more)


def unknown(subscription_id: str) -> Component:
    return empty("Webhook not found", f"No subscription has the id {subscription_id}; it may be removed.", "search")


PAGE = Page("webhooks", "Webhooks", "send", layout, callbacks)
