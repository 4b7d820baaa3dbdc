"""The whole system at a glance."""

from dash import Dash, Input, Output, dcc, html
from dash.development.base_component import Component

from projections.dashboard.components import charts, lag, orders, traffic, words
from projections.dashboard.components.basic import Content, card, empty, skeleton, tile, tiles
from projections.dashboard.components.charts import Figure
from projections.dashboard.components.flow import Step, flow
from projections.dashboard.components.table import Column, table
from projections.dashboard.page import Page
from projections.dashboard.places import place
from projections.dashboard.reading import Overview, Reader
from projections.dashboard.shell import SLOW, TICK, page_frame
from projections.queries.figures import Counts, Figures
from projections.queries.sagas import Saga, Usual, Waiting


def layout(_: str) -> Component:
    return page_frame(
        "Overview",
        html.Div(skeleton(88), id="overview-tiles"),
        html.Div(
            [
                card(
                    "The saga now",
                    html.Div(skeleton(178), id="overview-flow"),
                    note="How many orders wait at each step",
                ),
                card(
                    "Throughput",
                    charts.chart("overview-minutes", "Messages and orders of the last hour, by minute"),
                    note="A minute, of the last hour",
                    aside=charts.legend(traffic.MESSAGES, traffic.CONFIRMED, traffic.CANCELLED),
                    wide=8,
                ),
                card("How orders end", html.Div(skeleton(132), id="overview-share"), wide=4),
                card(
                    "Broker queues",
                    charts.chart("overview-broker", "Messages enqueued, delivered and unacknowledged, last minutes"),
                    note="While somebody looks",
                    aside=charts.legend(traffic.ENQUEUED, traffic.DELIVERED, traffic.UNACKNOWLEDGED),
                    wide=7,
                ),
                card("Lag", html.Div(skeleton(180), id="overview-lag"), wide=5, flush=True),
                card(
                    "Recent orders",
                    html.Div(skeleton(330), id="overview-recent"),
                    wide=7,
                    flush=True,
                    aside=dcc.Link("All orders", href=place("orders")),
                ),
                card(
                    "Waiting longest",
                    html.Div(skeleton(330), id="overview-waiting"),
                    note="Unfinished orders beside the usual time",
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
        return traffic.minutes_figure(reader.minutes()), traffic.broker_figure(reader.sight())


def update(now: Overview) -> list[Component]:
    """What the page's regions show, in their order."""
    return [
        figures_tiles(now.figures),
        counts_flow(now.figures.counts),
        share(now.figures),
        lag.lag(now.sight.now),
        recent(now.recent),
        waiting(now.waiting, now.usual),
    ]


def figures_tiles(now: Figures) -> Component:
    counts = now.counts
    oldest = now.oldest_unfinished
    took = {each.state: each for each in now.durations}
    confirmed = took.get("confirmed")
    return tiles(
        tile("Orders", f"{now.rate.orders:.1f}", "a second", "placed, last 10 s"),
        tile("Messages", f"{now.rate.messages:.1f}", "a second", "last 10 s"),
        tile(
            "Completed",
            figure_of(now.share_completed),
            "%" if now.share_completed is not None else "",
            "of all that ended",
        ),
        tile(
            "Compensation rate",
            figure_of(None if now.share_completed_last_hour is None else 1 - now.share_completed_last_hour),
            "%" if now.share_completed_last_hour is not None else "",
            "cancelled in the last hour",
        ),
        tile(
            "Time to complete",
            words.duration(confirmed.median) if confirmed else words.NOTHING,
            note=f"median, 95 % in {words.duration(confirmed.p95)}" if confirmed else "none has yet",
        ),
        tile("Unfinished", words.count(counts.unfinished), note=oldest_note(oldest)),
    )


def figure_of(share_: float | None) -> str:
    return words.NOTHING if share_ is None else words.percent(share_)


def oldest_note(oldest: Saga | None) -> Content:
    if oldest is None or oldest.waited_seconds is None:
        return "every order has ended"
    return ["oldest for ", words.duration(oldest.waited_seconds), ": ", orders.order_link(oldest)]


def counts_flow(counts: Counts) -> Component:
    """Where the orders under way are."""
    waits = counts.waiting

    def step(name: str, waits_for: Waiting, note: str, picture: str, *, back: bool = False) -> Step:
        number = waits.get(waits_for, 0)
        return Step(name, "idle" if not number else "undone" if back else "now", words.count(number), note, picture)

    return flow(
        [
            step("Placed", "stock", "wait for stock", "cart"),
            step("Stock reserved", "payment", "wait for the card", "box"),
            step("Payment captured", "confirmation", "wait for confirmation", "card"),
            step("Confirmed", "shipment", "wait for shipment", "truck"),
        ],
        [
            step("Cancel", "cancellation", "declined or out of stock", "back", back=True),
            step("Refund", "refund", "wait for their money", "card", back=True),
            step("Release stock", "release", "wait for release", "box", back=True),
        ],
        "Orders by step, and the way back",
    )


def share(now: Figures) -> Component:
    counts = now.counts
    ended = counts.completed + counts.rolled_back
    if not ended:
        return empty("No order has ended yet", "The first to end appears here at once.")
    cut = f"{100 * counts.completed / ended:.2f}%"
    donut = html.Div(
        html.Div(
            [html.B(f"{words.percent(counts.completed / ended)} %"), html.Span("completed")], className="donut-hole"
        ),
        className="donut",
        style={"background": f"conic-gradient(var(--series-2) 0 {cut}, var(--series-3) {cut} 100%)"},
    )
    legend = html.Ul(
        [
            legend_line("Completed", counts.completed, "var(--series-2)"),
            legend_line("Rolled back", counts.rolled_back, "var(--series-3)"),
            legend_line("Under way", counts.unfinished, "var(--series-1)"),
        ],
        className="legend",
    )
    states = html.P(
        f"By state: {words.count(counts.placed)} placed, {words.count(counts.confirmed)} confirmed, "
        f"{words.count(counts.cancelled)} cancelled.",
        className="muted small",
    )
    return html.Div([html.Div([donut, legend], className="share"), states])


def legend_line(name: str, number: int, colour: str) -> html.Li:
    swatch = html.Span(className="swatch", style={"background": colour})
    return html.Li([swatch, name, html.Span(words.count(number), className="legend-value")])


def recent(rows: list[Saga]) -> Component:
    if not rows:
        return empty("No orders yet", "Start some with ./ordersaga up --traffic 5, or place one over HTTP.")
    columns: list[Column[Saga]] = [
        Column("Order", orders.order_link),
        Column("Status", orders.state_mark),
        Column("Why", orders.why, "muted wide-only"),
        Column("Amount", orders.total, "number"),
        Column("Placed", lambda saga: words.moment(saga.placed_at), "number"),
    ]
    return table("Recent orders", columns, rows)


def waiting(rows: list[Saga], usual: dict[Waiting, Usual]) -> Component:
    if not rows:
        return empty("Nothing waits", "Every order has come to its end.", "check")

    def usual_of(saga: Saga) -> Usual | None:
        return usual.get(saga.waits_for) if saga.waits_for else None

    columns: list[Column[Saga]] = [
        Column("Order", orders.order_link),
        Column("Waits for", lambda saga: words.plainly(saga.waits_for or "")),
        Column("Since", lambda saga: orders.waiting_time(saga, usual_of(saga)), "number"),
        Column("Usually", lambda saga: orders.usual_time(usual_of(saga)), "number"),
    ]
    return table("Unfinished orders", columns, rows)


PAGE = Page("", "Overview", "overview", layout, callbacks)
