"""The dialog that asks before a parked message is skipped: it says what is lost."""

from typing import Any

import dash_mantine_components as dmc  # type: ignore[import-untyped]
from dash import Dash, Input, Output, State, html, no_update
from dash.development.base_component import Component

from projections.dashboard.components import parked, parked_actions
from projections.dashboard.components.basic import button
from projections.dashboard.pages.parked_act import act, is_missing
from projections.dashboard.services import ServiceRefused, Services
from projections.dashboard.viewer import viewer


def dialog() -> Component:
    made: Component = dmc.Modal(
        [
            html.P(id="message-skip-text"),
            parked_actions.reason_input("message-skip-reason", "Why it must not take effect"),
            html.Div(
                [
                    html.Button("Keep it", id="message-skip-cancel", className="plain-button"),
                    button("Skip for good", {"id": "message-skip-go"}, "cross", look="danger-button"),
                ],
                className="buttons",
            ),
        ],
        id="message-skip-dialog",
        title="Skip this message?",
        closeButtonProps={"aria-label": "Close"},
        className="parked-dialog",
        transitionProps={"duration": 0},
    )
    return made


def callbacks(app: Dash, services: Services) -> None:
    @app.callback(
        Output("message-skip-dialog", "opened"),
        Output("message-skip-text", "children"),
        Output("message-skip-reason", "value"),
        Input("message-skip", "n_clicks"),
        State("message-place", "data"),
        State("message-reason", "value"),
        prevent_initial_call=True,
    )
    def ask(_: int, value: str, reason: str | None) -> tuple[Any, ...]:
        place = parked.place_of(value)
        try:
            message = services.show(viewer().token, place)
        except ServiceRefused as problem:
            return True, str(problem), ""
        return True, parked_actions.what_is_lost(place.service, message), reason or ""

    @app.callback(
        Output("message-skip-dialog", "opened", allow_duplicate=True),
        Input("message-skip-cancel", "n_clicks"),
        prevent_initial_call=True,
    )
    def cancel(_: int) -> bool:
        return False

    @app.callback(
        Output("message-skip-dialog", "opened", allow_duplicate=True),
        Output("message-result", "children", allow_duplicate=True),
        Output("message-changes", "data", allow_duplicate=True),
        Output("message-skip-reason", "error"),
        Input("message-skip-go", "n_clicks"),
        State("message-place", "data"),
        State("message-version", "data"),
        State("message-skip-reason", "value"),
        State("message-changes", "data"),
        prevent_initial_call=True,
        running=[(Output("message-skip-go", "disabled"), True, False)],
    )
    def skip(_: int, value: str, seen: str, reason: str | None, changes: int) -> tuple[Any, ...]:
        if is_missing(reason):
            return no_update, no_update, no_update, parked.REASON_MISSING
        place = parked.place_of(value)
        answer = act(services, place, lambda: services.act("skip", viewer().token, place, str(reason), seen))
        return False, answer, changes + 1, None
