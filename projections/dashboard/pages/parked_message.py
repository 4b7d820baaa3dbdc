"""The drawer of one parked message: its details, dry run, retry and skip."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import dash_mantine_components as dmc  # type: ignore[import-untyped]
from dash import Dash, Input, Output, State, html
from dash.development.base_component import Component

from projections.dashboard.components import parked_message
from projections.dashboard.components.basic import notice
from projections.dashboard.components.parked import REASON_MISSING
from projections.dashboard.services import ParkedPlace, ServiceRefused, Services
from projections.dashboard.viewer import viewer


def drawer() -> Component:
    """The empty drawer."""
    made: Component = dmc.Drawer(
        [
            html.Div(id="parked-detail"),
            html.Div(
                [
                    dmc.TextInput(
                        id="parked-reason",
                        label="Reason, for the record",
                        placeholder="What was fixed, or why the message is skipped",
                    ),
                    html.Div(id="parked-actions", className="buttons"),
                    html.Div(id="parked-result"),
                ],
                className="parked-act",
            ),
        ],
        id="parked-drawer",
        title="Parked message",
        position="right",
        size="xl",
        keepMounted=True,
        closeButtonProps={"aria-label": "Close"},
    )
    return made


def callbacks(app: Dash, services: Services) -> None:
    @app.callback(
        Output("parked-drawer", "opened"),
        Output("parked-reason", "value"),
        Output("parked-result", "children"),
        Input("parked-chosen", "data"),
        prevent_initial_call=True,
    )
    def open_message(_: str) -> tuple[Any, ...]:
        return True, "", None

    @app.callback(
        Output("parked-detail", "children"),
        Output("parked-actions", "children"),
        Input("parked-chosen", "data"),
        Input("parked-changes", "data"),
        prevent_initial_call=True,
    )
    def show(chosen: str | None, _: int) -> tuple[Any, Any]:
        if not chosen:
            return None, None
        try:
            found = services.show(viewer().token, place := place_of(chosen))
        except ServiceRefused as problem:
            return notice(str(problem), "warn", "warning"), None
        return parked_message.detail(place.service, found), parked_message.buttons(found, viewer().may_act)

    @app.callback(
        Output("parked-result", "children", allow_duplicate=True),
        Output("parked-changes", "data"),
        Input("parked-act", "data"),
        State("parked-chosen", "data"),
        State("parked-reason", "value"),
        State("parked-changes", "data"),
        prevent_initial_call=True,
        running=[(Output("parked-actions", "className"), "buttons working", "buttons")],
    )
    def act(pressed: str, chosen: str, reason: str | None, changes: int) -> tuple[Component, int]:
        verb, _, seen = pressed.partition(" ")
        return perform(services, verb, chosen, (reason or "").strip(), seen), changes + 1


def perform(services: Services, verb: str, chosen: str, reason: str, seen: str) -> Component:
    """Perform the action, and describe the outcome."""
    place, token = place_of(chosen), viewer().token
    if verb != "dry-run" and not reason:
        return notice(REASON_MISSING, "warn", "warning")
    acts: dict[str, Callable[[], Component]] = {
        "dry-run": lambda: parked_message.dry_run(services.dry_run(token, place)),
        "retry": lambda: parked_message.outcome(services.retry(token, place, reason, seen).state),
        "skip": lambda: parked_message.outcome(services.skip(token, place, reason, seen).state),
    }
    try:
        return acts[verb]()
    except ServiceRefused as problem:
        return notice(str(problem), "bad", "cross")


def place_of(chosen: str) -> ParkedPlace:
    service, message_id, refused_by = chosen.split(" ")
    return ParkedPlace(service, UUID(message_id), refused_by)
