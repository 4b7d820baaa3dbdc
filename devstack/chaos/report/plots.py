"""The plots of a chaos run over one axis of time: latency with the faults behind it, orders, memory."""

from collections import Counter, defaultdict
from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from devstack.chaos.report.latency import Ended
from devstack.chaos.report.report import Report
from devstack.chaos.timeline import Span

CONFIRMED, CANCELLED, TIMED_OUT = "#3ca951", "#efb118", "#ff725c"
BLUE, VIOLET, TEAL = "#4269d0", "#a463f2", "#6cc5b0"
SHADE = "rgba(255, 114, 92, 0.16)"
GREY = "rgba(128, 136, 146, 0.35)"
INK = "#8b949e"
"""Readable on white and on black."""
SERVERS = ("postgres", "rabbitmq", "epmd")
MIB = 1024 * 1024
BIN_SECONDS = 5
MOST_POINTS = 20_000
SHORTEST = 0.4
"""Seconds that a bar is long at least, to be seen."""
LETTERS = 150
"""Of a fault's name that fit beside one another on the width of a page."""
LANE = 17
"""Pixels."""
PLOTS = (300, 200, 170, 170)
"""Pixels of the plots below the faults."""
GAP, TOP, BOTTOM = 40, 28, 30
"""Pixels between two plots, above the first and below the last."""


def figure(report: Report) -> go.Figure:
    lanes = lanes_of(report.spans)
    heights = [LANE * (max(lanes, default=0) + 1), *PLOTS]
    height = sum(heights) + GAP * (len(heights) - 1)
    titles = ("Faults", "Seconds from placed to ended", "Orders a second", "Under way", "Memory, MiB")
    made = make_subplots(
        rows=5, cols=1, shared_xaxes=True, vertical_spacing=GAP / height, subplot_titles=titles,
        row_heights=heights,
    )  # fmt: skip
    add_faults(made, report.spans, lanes)
    add_latency(made, report.timed)
    add_rates(made, report)
    add_backlog(made, report)
    add_memory(made, report)
    shade(made, report.spans)
    style(made, height + TOP + BOTTOM)
    return made


def lanes_of(spans: Sequence[Span]) -> list[int]:
    """The row of each fault's bar: the first in which neither bars nor names cover one another."""
    a_letter = max((span.ended for span in spans), default=0) / LETTERS
    free: list[float] = []
    found = []
    for span in spans:
        lane = next((number for number, since in enumerate(free) if since <= span.began), len(free))
        free[lane : lane + 1] = [span.ended + a_letter * (len(span.fault) + 1)]
        found.append(lane)
    return found


def add_faults(made: go.Figure, spans: Sequence[Span], lanes: Sequence[int]) -> None:
    """A bar for each, from its injection to its healing."""
    made.add_trace(
        go.Bar(
            base=[span.began for span in spans],
            x=[max(span.ended - span.began, SHORTEST) for span in spans],
            y=lanes,
            orientation="h",
            marker={"color": TIMED_OUT},
            customdata=[[span.fault, span.did, span.healed, span.began, span.ended] for span in spans],
            hovertemplate="<b>%{customdata[0]}</b> %{customdata[3]:.0f} to %{customdata[4]:.0f} s<br>"
            "%{customdata[1]}<br>%{customdata[2]}<extra></extra>",
            text=[span.fault for span in spans],
            textposition="outside",
            cliponaxis=False,
            showlegend=False,
        ),
        row=1,
        col=1,
    )


def add_latency(made: go.Figure, ended: Sequence[Ended]) -> None:
    """A point for each order; too many to draw are thinned out, the slowest stay."""
    kinds = (
        ("confirmed", CONFIRMED, lambda end: end == "confirmed"),
        ("timed out", TIMED_OUT, lambda end: end == "timed_out"),
        ("cancelled", CANCELLED, lambda end: end not in ("confirmed", "timed_out")),
    )
    for name, colour, is_it in kinds:
        points = thinned([each for each in ended if is_it(each.end)])
        made.add_trace(
            go.Scattergl(
                x=[each.at for each in points],
                y=[max(each.seconds, 0.001) for each in points],
                mode="markers",
                marker={"color": colour, "size": 4, "opacity": 0.75},
                name=name,
                customdata=[[each.order_id, each.end] for each in points],
                hovertemplate="%{customdata[1]} after %{y:.2f} s<br>%{customdata[0]}<extra></extra>",
            ),
            row=2,
            col=1,
        )


def thinned(points: Sequence[Ended]) -> list[Ended]:
    if len(points) <= MOST_POINTS:
        return list(points)
    slowest = sorted(points, key=lambda each: each.seconds)[-MOST_POINTS // 10 :]
    return [*points[:: len(points) // MOST_POINTS + 1], *slowest]


def add_rates(made: go.Figure, report: Report) -> None:
    placed = Counter(int(each.at // BIN_SECONDS) for each in report.timed)
    ended = Counter(int((each.at + each.seconds) // BIN_SECONDS) for each in report.timed)
    last = max([*placed, *ended], default=0)
    times = [BIN_SECONDS * (number + 0.5) for number in range(last + 1)]
    for name, counted, colour in (("placed", placed, BLUE), ("ended", ended, CONFIRMED)):
        rates = [counted[number] / BIN_SECONDS for number in range(last + 1)]
        line(made, 3, name, times, rates, colour)


def add_backlog(made: go.Figure, report: Report) -> None:
    times = [sample.at for sample in report.samples]
    line(made, 4, "orders under way", times, [sample.open for sample in report.samples], VIOLET)
    line(made, 4, "rows to publish", times, [sample.unpublished for sample in report.samples], CANCELLED)


def add_memory(made: go.Figure, report: Report) -> None:
    for name, colour, of_servers in (("memory of the shop", TEAL, False), ("of the servers", BLUE, True)):
        totals: dict[float, float] = defaultdict(float)
        for sample in report.memory:
            totals[sample.at] += sample.resident / MIB if (sample.process in SERVERS) == of_servers else 0
        line(made, 5, name, list(totals), list(totals.values()), colour)


def line(
    made: go.Figure, row: int, name: str, times: Sequence[float], values: Sequence[float | None], colour: str
) -> None:
    made.add_trace(
        go.Scatter(x=list(times), y=list(values), name=name, mode="lines", line={"color": colour, "width": 1.6}),
        row=row,
        col=1,
    )


def shade(made: go.Figure, spans: Sequence[Span]) -> None:
    """Behind every plot but the first, whose bars they are."""
    made.update_layout(
        shapes=[
            {
                "type": "rect",
                "layer": "below",
                "x0": span.began,
                "x1": max(span.ended, span.began + SHORTEST),
                "xref": f"x{row}",
                "y0": 0,
                "y1": 1,
                "yref": f"y{row} domain",
                "fillcolor": SHADE,
                "line": {"width": 0},
            }
            for span in spans
            for row in range(2, 6)
        ]
    )


def style(made: go.Figure, height: int) -> None:
    made.update_layout(
        height=height,
        margin={"l": 44, "r": 12, "t": TOP, "b": BOTTOM},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": INK, "family": "system-ui, sans-serif", "size": 12},
        legend={"orientation": "h", "y": -0.05, "yanchor": "top"},
        hoverlabel={"font": {"size": 12}},
        bargap=0.25,
    )
    made.update_annotations(font={"size": 13, "color": INK}, x=0, xanchor="left")
    made.update_xaxes(gridcolor=GREY, zeroline=False, ticksuffix=" s")
    made.update_yaxes(gridcolor=GREY, zeroline=False, rangemode="tozero")
    made.update_yaxes(row=1, col=1, showticklabels=False, showgrid=False, autorange="reversed")
    made.update_yaxes(row=2, col=1, type="log", dtick=1)
