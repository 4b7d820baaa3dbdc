"""Runs of retries of a failure group: the form that starts one, how far it is, and those of the past."""

from collections.abc import Sequence

import dash_mantine_components as dmc  # type: ignore[import-untyped]
from dash import html
from dash.development.base_component import Component

from ordersaga.http.triage_views import RunView
from ordersaga.parked.retry_runs import MAX_FIRST, MAX_RATE
from projections.dashboard.components import parked, parked_actions, words
from projections.dashboard.components.basic import Content, Tone, aria, button, empty, mark
from projections.dashboard.components.table import Column, table

STATES: dict[str, tuple[str, Tone, str]] = {
    "running": ("Under way", "info", "play"),
    "paused": ("Paused with the group", "warn", "pause"),
    "stopped": ("Stopped", "warn", "cross"),
    "done": ("Done", "good", "check"),
}


def is_open(run: RunView) -> bool:
    return run.state in ("running", "paused")


def form(*, may_act: bool) -> Component:
    def one(name: str, text: str, icon_name: str, look: str) -> Component:
        return button(text, {"id": f"run-{name}"}, icon_name, allowed=may_act, why_not=parked.WHY_NOT, look=look)

    numbers = html.Div(
        [
            dmc.NumberInput(id="run-first", label="First", value=5, min=0, max=MAX_FIRST, allowDecimal=False, w=90),
            dmc.NumberInput(id="run-rate", label="Then a second", value=10, min=0.1, max=MAX_RATE, w=120),
            dmc.NumberInput(id="run-failed", label="Stop above, % failed", value=50, min=0, max=100, w=160),
        ],
        className="toolbar",
        id="run-numbers",
    )
    return html.Div(
        [
            numbers,
            parked_actions.reason_input("run-reason", "What was fixed, or why it is stopped"),
            html.Div(
                [
                    html.Span(one("start", "Start the run", "play", "main-button"), id="run-start-part"),
                    html.Span(one("stop", "Stop the run", "pause", "danger-button"), id="run-stop-part", hidden=True),
                ],
                className="buttons",
            ),
            *([] if may_act else [html.P(parked.WHY_NOT, className="muted small")]),
        ],
        className="parked-act",
    )


def progress(run: RunView) -> Component:
    """A bar with the counts as text; skipped messages count as ended."""
    whole = max(1, run.total)
    parts: list[tuple[int, str]] = [
        (run.succeeded, "var(--good)"),
        (run.failed, "var(--bad)"),
        (run.skipped, "var(--muted)"),
        (run.under_way, "var(--accent)"),
    ]
    sections = [
        dmc.ProgressSection(value=100 * number / whole, color=color, withAria=False)
        for number, color in parts
        if number
    ]
    bar: Component = dmc.ProgressRoot(sections, size="lg", **aria(hidden="true"))
    ended = run.succeeded + run.failed + run.skipped
    return html.Div(
        [
            html.P([mark(*STATES[run.state]), f" Run {run.run} of {run.actor}, ", words.ago(run.started_at)]),
            html.Div(
                bar,
                role="progressbar",
                **aria(label="Messages tried", valuenow=str(ended), valuemin="0", valuemax=str(run.total)),
            ),
            html.P(counts(run)),
            html.P(pace(run), className="muted small"),
        ],
        className="run-progress",
    )


def counts(run: RunView) -> str:
    parts = [
        (run.succeeded, "succeeded"),
        (run.failed, "failed again"),
        (run.skipped, "skipped"),
        (run.under_way, "under way"),
        (run.remaining, "to go"),
    ]
    return f"Of {words.counted(run.total, 'message')}: " + ", ".join(
        f"{words.count(number)} {name}" for number, name in parts if number
    )


def pace(run: RunView) -> str:
    """How it goes on: the first ones decide, then the rate."""
    if run.state == "paused":
        return "The consumer group is paused: the run goes on when it is resumed."
    if run.retried <= run.first:
        return (
            f"The first {run.first} decide: above {words.percent(run.max_failed)} % that fail again it stops by itself."
        )
    return f"{run.rate:g} a second, at most {words.duration(run.remaining / run.rate)} to go."


def table_of(runs: Sequence[RunView]) -> Component:
    columns: list[Column[RunView]] = [
        Column("Run", lambda run: str(run.run)),
        Column("State", lambda run: mark(*STATES[run.state])),
        Column("Started", lambda run: words.moment(run.started_at)),
        Column("Ended", lambda run: words.moment(run.ended_at), "wide-only"),
        Column("Who", lambda run: run.actor, "wide-only"),
        Column("First, then", lambda run: f"{run.first}, {run.rate:g}/s", "number wide-only"),
        Column("Messages", lambda run: words.count(run.total), "number"),
        Column("Succeeded", lambda run: words.count(run.succeeded), "number"),
        Column("Failed", lambda run: words.count(run.failed), "number"),
        Column("Why", why, "muted wide-only"),
    ]
    return table("Runs of retries", columns, runs) if runs else empty("No run yet")


def why(run: RunView) -> Content:
    """The reason of the start, and how it ended if not by itself."""
    ended = f"; {run.ended_by or 'it'} stopped: {run.end_reason}" if run.end_reason else ""
    return f"{run.reason}{ended}"
