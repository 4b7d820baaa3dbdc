"""The whole system on one page."""

from typing import Any

from dash import Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from projections.dashboard.addresses import address
from projections.dashboard.components import charts, figures, history, lag, order_lists, ranges, steps, traffic
from projections.dashboard.components.basic import card, skeleton
from projections.dashboard.components.charts import Figure
from projections.dashboard.page import Page
from projections.dashboard.query import asked
from projections.dashboard.reading import Overview, Reader
from projections.dashboard.shell import SLOW, TICK, page_frame


def layout(_: str) -> Component:
    return page_frame(
        "Overview",
        html.Div(skeleton(88), id="overview-tiles"),
        html.Div(
            [
                card(
                    "Orders by step",
                    html.Div(skeleton(178), id="overview-flow"),
                    note="Unfinished orders that wait at each step",
                ),
                card(
                    "Throughput",
                    charts.chart("overview-minutes", "Messages and orders per minute"),
                    note="Per minute",
                    aside=charts.legend(traffic.MESSAGES, traffic.CONFIRMED, traffic.CANCELLED),
                    wide=8,
                ),
                card("How orders end", html.Div(skeleton(132), id="overview-share"), wide=4),
                card(
                    "Broker queues",
                    charts.chart("overview-broker", "Messages enqueued, delivered and unacknowledged"),
                    aside=charts.legend(traffic.ENQUEUED, traffic.DELIVERED, traffic.UNACKNOWLEDGED),
                    wide=7,
                ),
                card("Lag", html.Div(skeleton(180), id="overview-lag"), wide=5, flush=True),
                card(
                    "Recent orders",
                    html.Div(skeleton(330), id="overview-recent"),
                    wide=7,
                    flush=True,
                    aside=dcc.Link("All orders", href=address("orders")),
                ),
                card(
                    "Waiting longest",
                    html.Div(skeleton(330), id="overview-waiting"),
                    note="Unfinished orders and the usual time",
                    wide=5,
                    flush=True,
                ),
            ],
            className="grid",
        ),
        dcc.Store(id="overview-drawn"),
        tools=html.Div(ranges.picker("", ranges.known(asked("range"))), id="overview-ranges"),
    )


def callbacks(app: Dash, reader: Reader) -> None:
    regions = ("tiles", "flow", "share", "lag", "recent", "waiting")

    @app.callback([Output(f"overview-{name}", "children") for name in regions], Input(TICK, "data"))
    def refresh(_: int) -> list[Component]:
        return update(reader.overview())

    @app.callback(
        Output("overview-minutes", "figure"),
        Output("overview-broker", "figure"),
        Output("overview-ranges", "children"),
        Output("overview-drawn", "data"),
        Input(SLOW, "data"),
        Input("url", "search"),
        State("overview-drawn", "data"),
    )
    def redraw(_: int, search: str | None, drawn: str | None) -> tuple[Any, ...]:
        choice = ranges.chosen(search)
        picker = ranges.picker("", choice)
        if choice == ranges.LIVE:
            return *live_figures(reader), picker, choice
        found = reader.history(choice, ("traffic", *history.BROKER_FIGURES))
        if drawn == (key := f"{choice} {found.now}"):
            return (no_update,) * 4
        figures = history.traffic_figure(found.traffic, found.span, found.now)
        return figures, history.broker_figure(found.points, found.span, found.now), picker, key


def live_figures(reader: Reader) -> tuple[Figure, Figure]:
    """The last hour by minutes, and the last minutes by seconds."""
    return traffic.minutes_figure(reader.minutes()), traffic.broker_figure(reader.snapshots())


def update(now: Overview) -> list[Component]:
    """The content of the regions, in their order."""
    return [
        figures.in_tiles(now.figures),
        steps.of_all(now.figures.counts),
        figures.share(now.figures.counts),
        lag.lag(now.snapshots, now.expected),
        order_lists.recent(now.recent),
        order_lists.waiting(now.waiting, now.usual),
    ]


PAGE = Page("", "Overview", "overview", layout, callbacks)
