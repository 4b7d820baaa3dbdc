"""The whole system on one page."""

from dash import Dash, Input, Output, dcc, html
from dash.development.base_component import Component

from projections.dashboard.addresses import address
from projections.dashboard.components import charts, figures, lag, order_lists, steps, traffic
from projections.dashboard.components.basic import card, skeleton
from projections.dashboard.components.charts import Figure
from projections.dashboard.page import Page
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
                    charts.chart("overview-minutes", "Messages and orders per minute in the last hour"),
                    note="Per minute, last hour",
                    aside=charts.legend(traffic.MESSAGES, traffic.CONFIRMED, traffic.CANCELLED),
                    wide=8,
                ),
                card("How orders end", html.Div(skeleton(132), id="overview-share"), wide=4),
                card(
                    "Broker queues",
                    charts.chart("overview-broker", "Messages enqueued, delivered and unacknowledged, last minutes"),
                    note="Recorded while a dashboard is open",
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
    )


def callbacks(app: Dash, reader: Reader) -> None:
    regions = ("tiles", "flow", "share", "lag", "recent", "waiting")

    @app.callback([Output(f"overview-{name}", "children") for name in regions], Input(TICK, "data"))
    def refresh(_: int) -> list[Component]:
        return update(reader.overview())

    @app.callback(Output("overview-minutes", "figure"), Output("overview-broker", "figure"), Input(SLOW, "data"))
    def redraw(_: int) -> tuple[Figure, Figure]:
        return traffic.minutes_figure(reader.minutes()), traffic.broker_figure(reader.snapshots())


def update(now: Overview) -> list[Component]:
    """The content of the regions, in their order."""
    return [
        figures.in_tiles(now.figures),
        steps.of_all(now.figures.counts),
        figures.share(now.figures.counts),
        lag.lag(now.snapshots.latest),
        order_lists.recent(now.recent),
        order_lists.waiting(now.waiting, now.usual),
    ]


PAGE = Page("", "Overview", "overview", layout, callbacks)
