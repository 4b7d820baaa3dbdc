"""Callbacks of the region that shows the answer of an action: the browser gives it the focus, and closes it."""

from collections.abc import Sequence

from dash import Dash, Input, Output, State

from projections.dashboard.page import in_browser


def callbacks(app: Dash, region: str, fields: Sequence[str]) -> None:
    """`region` gets the focus with every answer, and each of `fields` when it has an error."""
    in_browser(
        app,
        "parked",
        "focus_answer",
        Output(region, "className"),
        Input(region, "children"),
        State(region, "id"),
    )
    for field in fields:
        in_browser(
            app,
            "parked",
            "focus_error",
            Output(field, "className"),
            Input(field, "error"),
            State(field, "id"),
        )
