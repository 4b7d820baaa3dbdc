"""The page of one failure group: what people know of it, its runs of retries, and its messages."""

from typing import Any

from dash import Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component

from ordersaga.http.triage_views import GroupInFull, RunView
from projections.dashboard.addresses import address
from projections.dashboard.components import parked, parked_actions, parked_run, parked_triage
from projections.dashboard.components.basic import card, notice, skeleton
from projections.dashboard.pages import answers, parked_rows, parked_run_actions
from projections.dashboard.pages.parked_act import is_missing
from projections.dashboard.services import ServiceRefused, Services
from projections.dashboard.shell import SLOW, page_frame
from projections.dashboard.triage import Triage
from projections.dashboard.viewer import viewer

SAVED = "Saved. It stays when the last message has gone."
PARTS = ("hold-part", "release-part")


def layout(service: str, failure: str) -> Component:
    may_act = viewer().may_act
    triage = [
        html.Div(skeleton(110), id="group-triage"),
        parked_triage.form(may_act=may_act),
        parked_actions.result_region("group-result"),
    ]
    run = [
        html.Div(skeleton(60), id="group-run"),
        parked_run.form(may_act=may_act),
        parked_actions.result_region("run-result"),
    ]
    return page_frame(
        "Failure group",
        html.Div(id="parked-problems"),
        html.Div(
            [
                html.Div(skeleton(320), id="parked-top", className="w6 stretch"),
                card("Triage", triage, wide=6),
            ],
            className="grid",
        ),
        parked_rows.messages_card(whole=True),
        html.Div(
            [
                card("Retry in a run", run, note="A few first, then at a rate", wide=5),
                card("Runs", html.Div(skeleton(120), id="group-runs"), wide=7, flush=True),
                card("Actions on the group", html.Div(skeleton(120), id="group-history"), flush=True),
            ],
            className="grid",
        ),
        *parked_rows.stores(f"{service} {failure}"),
        dcc.Store(id="group-place", data=f"{service} {failure}"),
        dcc.Store(id="group-changes", data=0),
        tools=dcc.Link("All parked messages", href=address("parked")),
    )


def callbacks(app: Dash, services: Services) -> None:
    answers.callbacks(app, "group-result", ("group-reason",))
    parked_run_actions.callbacks(app, services)
    editing(app, services)
    acting(app, services)

    @app.callback(
        [Output(f"group-{name}", "children") for name in ("triage", "run", "runs", "history")],
        [Output(f"{name}-part", "hidden") for name in ("group-hold", "group-release", "run-start", "run-stop")],
        Input(SLOW, "data"),
        Input("group-changes", "data"),
        State("group-place", "data"),
    )
    def refresh(_: int, _changes: int, place: str) -> tuple[Any, ...]:
        service, failure = place.split(" ")
        triage = Triage(services, viewer().token)
        try:
            return update(triage.group(service, failure), triage.runs(service, failure))
        except ServiceRefused as problem:
            return notice(str(problem), "warn", "warning"), *[None] * 3, *[no_update] * 4


def update(group: GroupInFull, runs: list[RunView]) -> tuple[Any, ...]:
    """What is written, the run under way, the runs of the past, the actions; and which buttons are hidden."""
    now = next((run for run in runs if parked_run.is_open(run)), None)
    past = [run for run in runs if run is not now]
    return (
        parked_triage.facts(group),
        parked_run.progress(now) if now else None,
        parked_run.table_of(past),
        parked_triage.history(group.actions),
        group.held_since is not None,
        group.held_since is None,
        now is not None,
        now is None,
    )


def editing(app: Dash, services: Services) -> None:
    fields = ("owner", "link", "note")

    @app.callback(
        Output("group-fields", "hidden"),
        Output("group-edit-part", "hidden"),
        Output("group-save-part", "hidden"),
        [Output(f"group-{name}", "value") for name in fields],
        Input("group-edit", "n_clicks"),
        Input("group-cancel", "n_clicks"),
        State("group-place", "data"),
        prevent_initial_call=True,
    )
    def start(_: Any, _cancel: Any, place: str) -> tuple[Any, ...]:
        if ctx.triggered_id == "group-cancel":
            return True, False, True, *[no_update] * 3
        try:
            group = Triage(services, viewer().token).group(*place.split(" "))
        except ServiceRefused:
            return [no_update] * 6  # type: ignore[return-value]
        return False, True, False, group.owner, group.link, group.note


def acting(app: Dash, services: Services) -> None:
    @app.callback(
        Output("group-result", "children"),
        Output("group-changes", "data"),
        Output("group-reason", "error"),
        Output("group-fields", "hidden", allow_duplicate=True),
        Output("group-edit-part", "hidden", allow_duplicate=True),
        Output("group-save-part", "hidden", allow_duplicate=True),
        Input("group-save", "n_clicks"),
        Input("group-hold", "n_clicks"),
        Input("group-release", "n_clicks"),
        State("group-place", "data"),
        State("group-reason", "value"),
        State("group-note", "value"),
        State("group-owner", "value"),
        State("group-link", "value"),
        State("group-changes", "data"),
        prevent_initial_call=True,
    )
    def act(*given: Any) -> tuple[Any, ...]:
        place, reason, note, owner, link, changes = given[3:]
        keep = [no_update] * 3
        if is_missing(reason):
            return no_update, no_update, parked.REASON_MISSING, *keep
        triage, verb = Triage(services, viewer().token), str(ctx.triggered_id).removeprefix("group-")
        service, failure = place.split(" ")
        try:
            if verb == "save":
                triage.annotate(service, failure, reason, note or "", owner or "", (link or "").strip())
                return parked_actions.answer(SAVED, "good", "check"), changes + 1, None, True, False, True
            group = triage.hold_group(service, failure, reason, held=verb == "hold")
        except ServiceRefused as problem:
            return parked_actions.answer(str(problem), "bad", "cross"), changes + 1, None, *keep
        return parked_actions.answer(parked_triage.hold_said(group), "good", "check"), changes + 1, None, *keep
