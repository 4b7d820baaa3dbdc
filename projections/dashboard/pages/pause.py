"""Callbacks of the consumer groups on the page of the infrastructure."""

from typing import Any

from dash import Dash, Input, Output, State, no_update
from dash.development.base_component import Component

from ordersaga.http.triage_views import ConsumerView
from projections.dashboard.components import parked, parked_actions, pause
from projections.dashboard.pages import answers
from projections.dashboard.pages.parked_act import is_missing
from projections.dashboard.services import ServiceRefused, Services
from projections.dashboard.shell import SLOW
from projections.dashboard.triage import Triage
from projections.dashboard.viewer import viewer

GO = {"pause": "Pause the group", "resume": "Resume the group"}


def callbacks(app: Dash, services: Services) -> None:
    answers.callbacks(app, "pause-result", ("pause-reason",))
    asking(app)

    @app.callback(Output("pause-groups", "children"), Input(SLOW, "data"), Input("pause-changes", "data"))
    def refresh(_: int, _changes: int) -> Component:
        person = viewer()
        triage = Triage(services, person.token)

        def group(service: str) -> tuple[str, ConsumerView | None]:
            try:
                return service, triage.consumer(service)
            except ServiceRefused:
                return service, None

        return pause.groups_table(services.each(group), may_act=person.may_act)

    @app.callback(
        Output("pause-result", "children"),
        Output("pause-dialog", "opened", allow_duplicate=True),
        Output("pause-changes", "data"),
        Output("pause-reason", "error"),
        Input("pause-go", "n_clicks"),
        State("pause-asked", "data"),
        State("pause-reason", "value"),
        State("pause-changes", "data"),
        prevent_initial_call=True,
        running=[(Output("pause-go", "disabled"), True, False)],
    )
    def act(_: int, asked: str, reason: str | None, changes: int) -> tuple[Any, ...]:
        if is_missing(reason):
            return no_update, no_update, no_update, parked.REASON_MISSING
        verb, service = asked.split(" ")
        try:
            group = Triage(services, viewer().token).pause(service, str(reason), paused=verb == "pause")
        except ServiceRefused as problem:
            return parked_actions.answer(str(problem), "bad", "cross"), False, changes + 1, None
        return parked_actions.answer(pause.said(service, group), "good", "check"), False, changes + 1, None


def asking(app: Dash) -> None:
    @app.callback(
        Output("pause-dialog", "opened"),
        Output("pause-text", "children"),
        Output("pause-reason", "value"),
        Output("pause-go", "children"),
        Input("pause-asked", "data"),
        prevent_initial_call=True,
    )
    def ask(asked: str) -> tuple[Any, ...]:
        verb, service = asked.split(" ")
        return True, pause.question(verb, service), "", GO[verb]

    @app.callback(
        Output("pause-dialog", "opened", allow_duplicate=True),
        Input("pause-cancel", "n_clicks"),
        prevent_initial_call=True,
    )
    def cancel(_: int) -> bool:
        return False
