"""Start and stop a run of retries on the page of its failure group."""

from typing import Any

from dash import Dash, Input, Output, State, ctx, no_update

from projections.dashboard.components import parked, parked_actions, parked_run, words
from projections.dashboard.pages import answers
from projections.dashboard.pages.parked_act import is_missing
from projections.dashboard.services import ServiceRefused, Services
from projections.dashboard.triage import Triage
from projections.dashboard.viewer import viewer

NO_RUN = "No run is under way: it has ended meanwhile."
NUMBERS_MISSING = "Give all three numbers: how many first, how many a second then, and the share that stops it."


def callbacks(app: Dash, services: Services) -> None:
    answers.callbacks(app, "run-result", ("run-reason",))

    @app.callback(
        Output("run-result", "children"),
        Output("group-changes", "data", allow_duplicate=True),
        Output("run-reason", "error"),
        Input("run-start", "n_clicks"),
        Input("run-stop", "n_clicks"),
        State("group-place", "data"),
        State("run-reason", "value"),
        State("run-first", "value"),
        State("run-rate", "value"),
        State("run-failed", "value"),
        State("group-changes", "data"),
        prevent_initial_call=True,
    )
    def act(*given: Any) -> tuple[Any, ...]:
        place, reason, *numbers, changes = given[2:]
        if is_missing(reason):
            return no_update, no_update, parked.REASON_MISSING
        triage = Triage(services, viewer().token)
        perform = start if ctx.triggered_id == "run-start" else stop
        try:
            text, is_good = perform(triage, place, reason, numbers)
        except ServiceRefused as problem:
            text, is_good = str(problem), False
        answer = parked_actions.answer(text, "good" if is_good else "bad", "check" if is_good else "cross")
        return answer, changes + 1, None


def start(triage: Triage, place: str, reason: str, numbers: list[Any]) -> tuple[str, bool]:
    """The answer, and whether a run began."""
    service, failure = place.split(" ")
    if not all(isinstance(number, int | float) for number in numbers):
        return NUMBERS_MISSING, False
    first, rate, percent = numbers
    run = triage.start_run(service, failure, int(first), float(rate), percent / 100, reason)
    return f"Run {run.run} has begun: {words.counted(run.total, 'message')}, {run.first} of them first.", True


def stop(triage: Triage, place: str, reason: str, _: list[Any]) -> tuple[str, bool]:
    """The answer, and whether a run was stopped."""
    service, failure = place.split(" ")
    now = next((run for run in triage.runs(service, failure) if parked_run.is_open(run)), None)
    if now is None:
        return NO_RUN, False
    triage.stop_run(service, now.run, reason)
    return f"Run {now.run} is stopped: it retries no further message.", True
