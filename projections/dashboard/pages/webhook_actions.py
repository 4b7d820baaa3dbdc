"""The actions on one webhook: send a test, retry what failed, pause, resume."""

from typing import Any
from uuid import UUID

from dash import Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from projections.dashboard import addresses
from projections.dashboard.components import parked_actions
from projections.dashboard.components.acting import REASON_MISSING
from projections.dashboard.components.basic import card
from projections.dashboard.components.webhook import STORE
from projections.dashboard.pages import answers
from projections.dashboard.pages.parked_act import is_missing
from projections.dashboard.services import ServiceRefused, Services
from projections.dashboard.viewer import viewer
from projections.dashboard.webhooks import WebhookActions

NOTE = "Each action is recorded with your name and the reason"


def actions_card() -> Component:
    """The field keeps its text while the rest refreshes."""
    return card(
        "Act on this webhook",
        [
            html.Div(
                [
                    parked_actions.reason_input("webhook-reason", "Their disk was full"),
                    html.Div(id="webhook-buttons", className="buttons"),
                ],
                className="parked-act",
            ),
            parked_actions.result_region("webhook-result"),
            dcc.Store(id=STORE),
            dcc.Store(id="webhook-changes", data=0),
        ],
        note=NOTE,
        wide=6,
    )


def callbacks(app: Dash, services: Services) -> None:
    answers.callbacks(app, "webhook-result", ("webhook-reason",))

    @app.callback(
        Output("webhook-result", "children"),
        Output("webhook-reason", "value"),
        Output("webhook-reason", "error"),
        Output("webhook-changes", "data"),
        Output(STORE, "data"),
        Input(STORE, "data"),
        State("webhook-id", "data"),
        State("webhook-reason", "value"),
        State("webhook-changes", "data"),
        prevent_initial_call=True,
        running=[(Output("webhook-buttons", "className"), "buttons working", "buttons")],
    )
    def act(pressed: str | None, subscription_id: str, reason: str | None, changes: int) -> tuple[Any, ...]:
        """Empties the store, so that the same button can be pressed again."""
        id_ = addresses.parse_id(subscription_id)
        if not pressed or id_ is None:
            return (no_update,) * 5
        if is_missing(reason):
            return None, no_update, REASON_MISSING, no_update, None
        try:
            said = perform(WebhookActions(services, viewer().token), pressed, id_, str(reason).strip())
        except ServiceRefused as problem:
            return parked_actions.answer(str(problem), "bad", "cross"), no_update, None, changes + 1, None
        return parked_actions.answer(said, "good", "check"), "", None, changes + 1, None


def perform(webhooks: WebhookActions, pressed: str, id_: UUID, reason: str) -> str:
    """Perform the action. Returns what came of it."""
    verb, _, delivery = pressed.partition(" ")
    match verb:
        case "test":
            return f"A test is sent as delivery {webhooks.test(id_, reason):,}. What is answered appears below."
        case "retry":
            webhooks.retry(int(delivery), reason)
            return f"Delivery {int(delivery):,} is sent again, with all its attempts. What is answered appears below."
        case "retry-failed":
            number = webhooks.retry_failed(id_, reason)
            return f"{number:,} failed deliver{'y is' if number == 1 else 'ies are'} sent again."
        case "pause":
            is_new = webhooks.pause(id_, reason)
            return "It gets nothing until it is resumed; nothing is lost." if is_new else "It was paused already."
        case _:
            is_new = webhooks.resume(id_, reason)
            return "It is resumed, and gets what has come since, in order." if is_new else "It was active already."
