"""Edit and retry: the new body is checked while it is typed, and replaced only with the difference in view."""

from hashlib import sha256
from typing import Any

from dash import Dash, Input, Output, State, no_update
from dash.development.base_component import Component

from ordersaga.http.parked_views import ParkedView
from projections.dashboard import bodies
from projections.dashboard.components import parked, parked_actions, parked_editor
from projections.dashboard.components.basic import notice
from projections.dashboard.pages.parked_act import act, is_missing
from projections.dashboard.services import ServiceRefused, Services
from projections.dashboard.viewer import viewer

LOOK_AGAIN = "The text has changed since the difference was shown: look at it again, then confirm."


def callbacks(app: Dash, services: Services) -> None:
    opening(app, services)
    checking(app, services)

    @app.callback(
        Output("message-result", "children", allow_duplicate=True),
        Output("message-changes", "data", allow_duplicate=True),
        Output("message-reason", "error", allow_duplicate=True),
        Output("message-editor", "hidden", allow_duplicate=True),
        Input("message-edit-go", "n_clicks"),
        State("message-place", "data"),
        State("message-version", "data"),
        State("message-reason", "value"),
        State("message-text", "value"),
        State("message-checked", "data"),
        State("message-changes", "data"),
        prevent_initial_call=True,
    )
    def replace(
        _: int, value: str, seen: str, reason: str | None, text: str, checked: str, changes: int
    ) -> tuple[Any, ...]:
        if is_missing(reason):
            return no_update, no_update, parked.REASON_MISSING, no_update
        if digest(text) != checked:
            return parked_actions.answer(LOOK_AGAIN, "warn", "warning"), no_update, None, no_update
        place = parked.place_of(value)
        answer = act(services, place, lambda: services.edit(viewer().token, place, str(reason), seen, text))
        return answer, changes + 1, None, True


def opening(app: Dash, services: Services) -> None:
    @app.callback(
        Output("message-editor", "hidden"),
        Output("message-text", "value"),
        Input("message-edit", "n_clicks"),
        State("message-place", "data"),
        prevent_initial_call=True,
    )
    def start(_: int, value: str) -> tuple[bool, Any]:
        try:
            return False, bodies.pretty(services.show(viewer().token, parked.place_of(value)).body)
        except ServiceRefused:
            return True, no_update

    @app.callback(
        Output("message-editor", "hidden", allow_duplicate=True),
        Input("message-edit-cancel", "n_clicks"),
        prevent_initial_call=True,
    )
    def cancel(_: int) -> bool:
        return True


def checking(app: Dash, services: Services) -> None:
    @app.callback(
        Output("message-text-problems", "children"),
        Output("message-diff", "children"),
        Output("message-edit-go", "disabled"),
        Output("message-checked", "data"),
        Input("message-text", "value"),
        State("message-place", "data"),
        prevent_initial_call=True,
    )
    def check(text: str | None, value: str) -> tuple[Any, ...]:
        try:
            message = services.show(viewer().token, parked.place_of(value))
        except ServiceRefused as problem:
            return notice(str(problem), "warn", "warning"), None, True, None
        return checked(message, text or "")


def checked(message: ParkedView, text: str) -> tuple[list[Component], Component, bool, str]:
    """The problems, the difference, whether it cannot be confirmed, and the digest of what was checked."""
    found = bodies.problems(message.contract, message.key, text)
    before = bodies.pretty(message.body)
    refused = bool(found) or text == before
    return [parked_editor.problems_list(found)], parked_editor.difference(before, text), refused, digest(text)


def digest(text: str) -> str:
    return sha256(text.encode(errors="replace")).hexdigest()
