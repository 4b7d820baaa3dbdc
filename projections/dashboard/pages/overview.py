"""The whole system at a glance."""

from dash import Dash, Input, Output, dcc, html
from dash.development.base_component import Component

from projections.dashboard.components import charts, orders, words
from projections.dashboard.components.basic import Content, card, empty, mark, skeleton, tile, tiles
from projections.dashboard.components.charts import Figure, Series
from projections.dashboard.components.flow import Step, flow
from projections.dashboard.components.table import Column, table
from projections.dashboard.page import Page
from projections.dashboard.places import place
from projections.dashboard.reading import Overview, Reader
from projections.dashboard.shell import SLOW, TICK, page_frame
from projections.monitor.picture import Picture, RelayFigures, Sight
from projections.queries.figures import Counts, Figures, Minute
from projections.queries.sagas import Saga, Usual, Waiting

LAG_SECONDS = 5.0
"""From here on a lag is marked."""
BROKER_SECONDS = 300
LEAST_MINUTES = 20

MESSAGES = ("Messages", charts.BLUE)
CONFIRMED = ("Orders confirmed", charts.GREEN)
CANCELLED = ("Orders cancelled", charts.AMBER)
ENQUEUED = ("Enqueued a second", charts.BLUE)
DELIVERED = ("Delivered a second", charts.GREEN)
UNACKNOWLEDGED = ("Unacknowledged", charts.AMBER)

Behind = tuple[str, Content, Content]
"""Who, how far behind, and whether that is well."""


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
                    aside=charts.legend(MESSAGES, CONFIRMED, CANCELLED),
                    wide=8,
                ),
                card("How orders end", html.Div(skeleton(132), id="overview-share"), wide=4),
                card(
                    "Broker queues",
                    charts.chart("overview-broker", "Messages enqueued, delivered and unacknowledged, last minutes"),
                    note="While somebody looks",
                    aside=charts.legend(ENQUEUED, DELIVERED, UNACKNOWLEDGED),
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
        return minutes_figure(reader.minutes()), broker_figure(reader.sight())


def update(now: Overview) -> list[Component]:
    """What the page's regions show, in their order."""
    return [
        figures_tiles(now.figures),
        counts_flow(now.figures.counts),
        share(now.figures),
        lag(now.sight.now),
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


def lag(picture: Picture | None) -> Component:
    """How far each relay and each group is behind."""
    if picture is None:
        return empty("Asking the processes", "The first answers take about a second.", "clock")
    columns: list[Column[Behind]] = [
        Column("Who", lambda row: row[0]),
        Column("Behind", lambda row: row[1], "number"),
        Column("State", lambda row: row[2], "number"),
    ]
    return table("Lag of relays and groups", columns, [*relay_rows(picture), *group_rows(picture)])


def relay_rows(picture: Picture) -> list[Behind]:
    relays = {each.database: each for process in picture.processes for each in process.relays if each.is_active}
    databases = sorted({each.database for process in picture.processes for each in process.relays})
    return [(f"{words.service(database)} relay", *relay_lag(relays.get(database))) for database in databases]


def relay_lag(relay: RelayFigures | None) -> tuple[Content, Content]:
    if relay is None:
        return words.NOTHING, mark("No relay", "bad", "warning")
    late = relay.lag_seconds > LAG_SECONDS
    behind = f"{words.counted(relay.lag_rows, 'row')}, {words.duration(round(relay.lag_seconds, 1))}"
    return behind, mark("Late", "warn", "warning") if late else mark("Current", "good", "check")


def group_rows(picture: Picture) -> list[Behind]:
    """A group is as far behind as its queues are long."""
    ready: dict[str, int] = {}
    for queue in picture.broker.queues:
        group, _, part = queue.name.rpartition(".")
        if part.isdigit():
            ready[group] = ready.get(group, 0) + queue.ready + queue.unacknowledged
    groups = sorted({each.group for process in picture.processes for each in process.receiving})
    rows: list[Behind] = []
    for group in groups:
        behind = words.counted(ready[group], "message") if group in ready else words.NOTHING
        rows.append((f"{words.service(group)} group", behind, group_state(picture, group)))
    return rows


def group_state(picture: Picture, group: str) -> Content:
    parts = [(process, each) for process in picture.processes for each in process.receiving if each.group == group]
    if not any(process.state == "up" for process, _ in parts):
        return mark("Down", "bad", "warning")
    dead = max((each.dead_now or 0 for _, each in parts), default=0)
    parked = max(((each.retrying_now or 0) + (each.waiting_now or 0) for _, each in parts), default=0) + dead
    if dead:
        return mark(f"{dead} dead", "bad", "parked")
    return mark(f"{parked} parked", "warn", "parked") if parked else mark("Current", "good", "check")


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


def minutes_figure(hour: list[Minute]) -> Figure:
    minutes = since_something_happened(hour)
    return charts.figure(
        [each.minute for each in minutes],
        [
            Series(*MESSAGES, [each.messages for each in minutes], "y", bars=True),
            Series(*CONFIRMED, [each.confirmed for each in minutes], "y2", bars=True),
            Series(*CANCELLED, [each.cancelled for each in minutes], "y2", bars=True),
        ],
        {"yaxis": {"domain": [0.55, 1]}, "yaxis2": {"domain": [0, 0.45]}, "xaxis": {"anchor": "y2"}},
    )


def since_something_happened(hour: list[Minute]) -> list[Minute]:
    """Without the empty minutes before, but for as many as a chart needs."""
    first = next((place for place, each in enumerate(hour) if each.messages), len(hour))
    return hour[min(first, max(len(hour) - LEAST_MINUTES, 0)) :]


def broker_figure(sight: Sight) -> Figure:
    """Every other second of the last minutes."""
    pictures = sight.history[-BROKER_SECONDS::2]
    brokers = [picture.broker for picture in pictures]
    return charts.figure(
        [picture.at for picture in pictures],
        [
            Series(*ENQUEUED, [each.enqueued_per_second for each in brokers], unit="/s"),
            Series(*DELIVERED, [each.delivered_per_second for each in brokers], unit="/s"),
            Series(*UNACKNOWLEDGED, [each.unacknowledged for each in brokers], "y2", dotted=True),
        ],
        {
            "yaxis": {"ticksuffix": "/s"},
            "yaxis2": {"overlaying": "y", "side": "right", "showgrid": False, "minallowed": 0},
            "xaxis": {"tickformat": "%H:%M:%S", "nticks": 6},
        },
        margin={"l": 48, "r": 40, "t": 8, "b": 22},
    )


PAGE = Page("", "Overview", "overview", layout, callbacks)
