"""The dialog that asks before a parked message is skipped: it says what is lost."""

from typing import Any

from dash import Dash, Input, Output, State, no_update

from projections.dashboard.components import parked, parked_actions
from projections.dashboard.pages.parked_act import act, is_missing
from projections.dashboard.services import ServiceRefused, Services
from projections.dashboard.viewer import viewer


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
