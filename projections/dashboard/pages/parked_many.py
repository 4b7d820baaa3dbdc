"""Retry or skip several parked messages, or a whole failure group, with one reason and an answer for each."""

from collections.abc import Sequence
from typing import Any

from dash import Dash, Input, Output, State, ctx, no_update
from dash.development.base_component import Component

from projections.dashboard.components import parked, parked_actions, parked_choice, parked_triage, words
from projections.dashboard.page import in_browser
from projections.dashboard.pages import answers
from projections.dashboard.pages.parked_act import is_missing
from projections.dashboard.services import ServiceRefused, Services
from projections.dashboard.triage import Triage
from projections.dashboard.viewer import viewer

VERBS = ("retry", "hold", "release")
"""Of which none asks first."""
NONE_CHOSEN = "Choose messages first: tick them, or all on this page."


def callbacks(app: Dash, services: Services) -> None:
    answers.callbacks(app, "parked-result", ("parked-reason", "parked-skip-reason"))
    choosing(app)
    acting(app, services)
    skipping(app, services)


def choosing(app: Dash) -> None:
    in_browser(
        app,
        "parked",
        "page_values",
        Output("parked-chosen", "value"),
        Input("parked-all", "checked"),
        State("parked-page", "data"),
    )

    @app.callback(
        Output("parked-many", "children"),
        Input("parked-chosen", "value"),
        Input("parked-whole", "checked"),
        Input("parked-messages", "data"),
    )
    def say(chosen: list[str] | None, whole: bool, messages: int | None) -> str:
        return parked_choice.said(len(chosen or []), whole, messages or 0)


def acting(app: Dash, services: Services) -> None:
    @app.callback(
        Output("parked-result", "children"),
        Output("parked-changes", "data"),
        Output("parked-chosen", "value", allow_duplicate=True),
        Output("parked-reason", "error"),
        *(Input(f"parked-many-{verb}", "n_clicks") for verb in VERBS),
        State("parked-scope", "data"),
        State("parked-chosen", "value"),
        State("parked-whole", "checked"),
        State("parked-reason", "value"),
        State("parked-changes", "data"),
        prevent_initial_call=True,
        running=[(Output("parked-form", "className"), "parked-act choices-form working", "parked-act choices-form")],
    )
    def act(*given: Any) -> tuple[Any, ...]:
        scope, chosen, whole, reason, changes = given[len(VERBS) :]
        verb = str(ctx.triggered_id).removeprefix("parked-many-")
        if not whole and not chosen:
            return parked_actions.answer(NONE_CHOSEN, "warn", "warning"), no_update, no_update, None
        if is_missing(reason):
            return no_update, no_update, no_update, parked.REASON_MISSING
        triage = Triage(services, viewer().token)
        answer = whole_group(triage, verb, scope, reason) if whole else each(triage, verb, chosen, reason)
        return answer, changes + 1, [], None


def whole_group(triage: Triage, verb: str, scope: str, reason: str) -> Component:
    service, failure = scope.split(" ")
    try:
        if verb == "retry":
            number = triage.retry_group(service, failure, reason)
            return parked_actions.answer(f"{words.counted(number, 'message')} due now.", "good", "check")
        group = triage.hold_group(service, failure, reason, held=verb == "hold")
    except ServiceRefused as problem:
        return parked_actions.answer(str(problem), "bad", "cross")
    return parked_actions.answer(parked_triage.hold_said(group), "good", "check")


def each(triage: Triage, verb: str, chosen: Sequence[str], reason: str) -> Component:
    return parked_choice.answers(triage.act_on_each(verb, [parked.place_of(value) for value in chosen], reason), verb)


def skipping(app: Dash, services: Services) -> None:
    @app.callback(
        Output("parked-skip-dialog", "opened"),
        Output("parked-skip-text", "children"),
        Output("parked-skip-reason", "value"),
        Output("parked-result", "children", allow_duplicate=True),
        Input("parked-many-skip", "n_clicks"),
        State("parked-scope", "data"),
        State("parked-chosen", "value"),
        State("parked-whole", "checked"),
        State("parked-page", "data"),
        State("parked-messages", "data"),
        State("parked-reason", "value"),
        prevent_initial_call=True,
    )
    def ask(
        _: int, scope: str, chosen: list[str], whole: bool, page: list[str], messages: int, reason: str | None
    ) -> tuple[Any, ...]:
        if not whole and not chosen:
            return False, no_update, no_update, parked_actions.answer(NONE_CHOSEN, "warn", "warning")
        said = lost(services, scope, page if whole else chosen, messages if whole else len(chosen))
        return True, said, reason or "", None

    @app.callback(
        Output("parked-skip-dialog", "opened", allow_duplicate=True),
        Input("parked-skip-cancel", "n_clicks"),
        prevent_initial_call=True,
    )
    def cancel(_: int) -> bool:
        return False

    @app.callback(
        Output("parked-skip-dialog", "opened", allow_duplicate=True),
        Output("parked-result", "children", allow_duplicate=True),
        Output("parked-changes", "data", allow_duplicate=True),
        Output("parked-chosen", "value", allow_duplicate=True),
        Output("parked-skip-reason", "error"),
        Input("parked-skip-many-go", "n_clicks"),
        State("parked-scope", "data"),
        State("parked-chosen", "value"),
        State("parked-whole", "checked"),
        State("parked-messages", "data"),
        State("parked-skip-reason", "value"),
        State("parked-changes", "data"),
        prevent_initial_call=True,
        running=[(Output("parked-skip-many-go", "disabled"), True, False)],
    )
    def skip(
        _: int, scope: str, chosen: list[str], whole: bool, messages: int, reason: str | None, changes: int
    ) -> tuple[Any, ...]:
        if is_missing(reason):
            return no_update, no_update, no_update, no_update, parked.REASON_MISSING
        why = str(reason)
        triage = Triage(services, viewer().token)
        answer = skip_group(triage, scope, messages, why) if whole else each(triage, "skip", chosen, why)
        return False, answer, changes + 1, [], None


def lost(services: Services, scope: str, some: Sequence[str], number: int) -> str:
    """What skipping so many messages loses; all messages of a failure group have one reaction."""
    service = scope.partition(" ")[0]
    try:
        first = services.show(viewer().token, parked.place_of(some[0])) if service and some else None
    except ServiceRefused:
        first = None
    return parked_choice.what_is_lost(service, first, number)


def skip_group(triage: Triage, scope: str, messages: int, reason: str) -> Component:
    service, failure = scope.split(" ")
    try:
        done = triage.skip_group(service, failure, messages, reason)
    except ServiceRefused as problem:
        return parked_actions.answer(str(problem), "bad", "cross")
    gone = f" {words.counted(done.gone, 'message')} had gone before." if done.gone else ""
    return parked_actions.answer(f"{words.counted(done.skipped, 'message')} skipped.{gone}", "good", "check")
