"""Alarms: what is wrong now, and what was wrong before."""

from typing import Any

from dash import Dash, Input, Output, html
from dash.development.base_component import Component

from projections.dashboard.components import alarms
from projections.dashboard.components.basic import card, skeleton
from projections.dashboard.page import Page
from projections.dashboard.reading import Reader
from projections.dashboard.shell import SLOW, TICK, page_frame

PAGE_ROWS = 50
MAX_ROWS = 500
INTRO = (
    "An alarm stands when two rounds of the monitor saw it, and ends when two did not. Each leads to the page where "
    "one acts."
)


def layout(_: str) -> Component:
    return page_frame(
        "Alarms",
        card("Now", html.Div(skeleton(120), id="alarms-now"), flush=True),
        card("Ended", html.Div(skeleton(240), id="alarms-ended"), note="Newest first", flush=True),
        html.Div(html.Button("Show older ones", id="alarms-older", className="plain-button"), id="alarms-pager"),
        intro=INTRO,
    )


def callbacks(app: Dash, reader: Reader) -> None:
    @app.callback(Output("alarms-now", "children"), Input(TICK, "data"))
    def refresh(_: int) -> Component:
        return alarms.standing(reader.alarms())

    @app.callback(
        Output("alarms-ended", "children"),
        Output("alarms-pager", "hidden"),
        Input(SLOW, "data"),
        Input("alarms-older", "n_clicks"),
    )
    def list_ended(_: int, older: int | None) -> tuple[Any, bool]:
        wanted = min(PAGE_ROWS * (1 + (older or 0)), MAX_ROWS)
        found = reader.ended_alarms(wanted + 1)
        return alarms.ended(found[:wanted]), len(found) <= wanted or wanted == MAX_ROWS


PAGE = Page("alarms", "Alarms", "warning", layout, callbacks)
