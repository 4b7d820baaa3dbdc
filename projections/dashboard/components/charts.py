"""Charts; components.css colours their text and grid, so that they follow the colour scheme."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dash import dcc, html

from projections.dashboard.components.basic import aria
from projections.dashboard.viewer import zone

BLUE, GREEN, AMBER = "#4a72e0", "#23996a", "#c9811a"
"""Legible on white and on black; the same as --series-1 to --series-3."""
Figure = dict[str, Any]

AXIS = {"zeroline": False, "showline": False, "ticks": "", "automargin": False}
X = {**AXIS, "ticklabelstandoff": 4, "type": "date", "showgrid": False, "tickformat": "%H:%M", "nticks": 7}
Y = {**AXIS, "rangemode": "tozero", "nticks": 4, "fixedrange": True}
LAYOUT: Figure = {
    "uirevision": "keep",
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "margin": {"l": 44, "r": 8, "t": 8, "b": 22},
    "font": {"size": 11, "family": "system-ui, sans-serif"},
    "hovermode": "x unified",
    "hoverlabel": {"font": {"size": 12}},
    "barmode": "stack",
    "bargap": 0.25,
    "showlegend": False,
    "dragmode": "zoom",
}
CONFIG: Any = {"displayModeBar": False, "responsive": True, "showTips": False}


STEPS = (1, 2, 5)
TICKS = 4


@dataclass(frozen=True)
class Series:
    """Values over time, as bars or as a line, on one of the figure's vertical axes."""

    name: str
    colour: str
    values: Sequence[float | None]
    axis: str = "y"
    bars: bool = False
    dotted: bool = False
    unit: str = ""


def chart(id_: str, label: str) -> html.Div:
    """An empty chart; `label` describes it for screen readers."""
    empty: Figure = {"data": [], "layout": {**LAYOUT, "xaxis": {"visible": False}, "yaxis": {"visible": False}}}
    graph = dcc.Graph(id=id_, figure=empty, config=CONFIG, style={"height": "100%"})
    return html.Div(graph, className="chart", role="img", **aria(label=label))


def legend(*each: tuple[str, str]) -> html.Ul:
    """Names and colours of the series, beside the chart's title."""
    return html.Ul(
        [html.Li([html.Span(className="swatch", style={"background": colour}), name]) for name, colour in each],
        className="chart-legend",
    )


def figure(times: Sequence[datetime], series: Sequence[Series], axes: dict[str, Figure], **layout: Any) -> Figure:
    """A Plotly figure; `axes` by their name in the layout, such as `yaxis2`."""
    x = [local(at) for at in times]
    return {
        "data": [trace(x, each) for each in series],
        "layout": {
            **LAYOUT,
            "xaxis": {**X, **axes.get("xaxis", {})},
            **{name: {**Y, **axis} for name, axis in axes.items() if name != "xaxis"},
            **layout,
        },
    }


def counts_axis(*series: Sequence[float | None]) -> Figure:
    """An axis of whole numbers that begins at 0 and has some four ticks."""
    top = max((value for values in series for value in values if value is not None), default=0)
    step = next(step * 10**power for power in range(16) for step in STEPS if step * 10**power * TICKS >= top)
    return {"range": [0, step * max(1, math.ceil(top / step)) * 1.04], "dtick": step, "tick0": 0, "tickformat": ",d"}


def with_gaps(times: Sequence[datetime], longest: timedelta) -> tuple[list[datetime], list[int | None]]:
    """The times with one more in each longer gap, and the place of the value of each; None makes a line end."""
    shown: list[datetime] = []
    places: list[int | None] = []
    for place, at in enumerate(times):
        if shown and at - shown[-1] > longest:
            shown.append(shown[-1] + longest)
            places.append(None)
        shown.append(at)
        places.append(place)
    return shown, places


def local(at: datetime) -> str:
    """In the viewer's zone; Plotly has no zones."""
    return f"{at.astimezone(zone()):%Y-%m-%dT%H:%M:%S}"


def trace(x: Sequence[str], series: Series) -> Figure:
    common: Figure = {
        "x": x,
        "y": series.values,
        "name": series.name,
        "yaxis": series.axis,
        "hovertemplate": f"%{{y:,.4~g}}{series.unit}",
    }
    if series.bars:
        return {**common, "type": "bar", "marker": {"color": series.colour, "line": {"width": 0}}}
    line = {"color": series.colour, "width": 1.8, "dash": "dot" if series.dotted else "solid"}
    return {**common, "type": "scatter", "mode": "lines", "line": line}
