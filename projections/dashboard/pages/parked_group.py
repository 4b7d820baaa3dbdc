"""The dialog that retries all messages of one failure."""

from typing import Any

import dash_mantine_components as dmc  # type: ignore[import-untyped]
from dash import Dash, Input, Output, State, html, no_update
from dash.development.base_component import Component

from projections.dashboard.components import words
from projections.dashboard.components.basic import button, notice
from projections.dashboard.components.parked import REASON_MISSING
from projections.dashboard.services import ServiceRefused, Services
from projections.dashboard.viewer import viewer


def dialog() -> Component:
    made: Component = dmc.Modal(
        [
            html.P(id="parked-group-text"),
            dmc.TextInput(id="parked-group-reason", label="Reason, for the record", my=12),
            button("Retry all", {"id": "parked-group-go"}, "play", look="main-button"),
        ],
        id="parked-group-dialog",
        title="Retry a failure group",
        keepMounted=True,
        closeButtonProps={"aria-label": "Close"},
    )
    return made


def callbacks(app: Dash, services: Services) -> None:
    @app.callback(
        Output("parked-group-text", "children"),
        Output("parked-group-dialog", "opened"),
        Input("parked-group", "data"),
        prevent_initial_call=True,
    )
    def ask(group: str) -> tuple[str, bool]:
        service = words.service(group.partition(" ")[0])
        return f"Every message of this failure at {service} is retried now, in order.", True

    @app.callback(
        Output("parked-done", "children"),
        Output("parked-group-dialog", "opened", allow_duplicate=True),
        Output("parked-changes", "data", allow_duplicate=True),
        Output("parked-group-reason", "error"),
        Input("parked-group-go", "n_clicks"),
        State("parked-group", "data"),
        State("parked-group-reason", "value"),
        State("parked-changes", "data"),
        prevent_initial_call=True,
        running=[(Output("parked-group-go", "disabled"), True, False)],
    )
    def retry(_: int, group: str, reason: str | None, changes: int) -> tuple[Any, ...]:
        if not (why := (reason or "").strip()):
            return no_update, no_update, no_update, REASON_MISSING
        service, failure = group.split(" ")
        try:
            number = services.retry_group(viewer().token, service, failure, why)
        except ServiceRefused as problem:
            return notice(str(problem), "bad", "cross"), False, changes + 1, None
        return notice(f"{words.counted(number, 'message')} due now.", "good", "check"), False, changes + 1, None
