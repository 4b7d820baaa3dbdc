"""The current figures: in tiles, and how orders end."""

from dash import html
from dash.development.base_component import Component

from projections.dashboard.components import orders, words
from projections.dashboard.components.basic import Content, empty, tile, tiles
from projections.queries.figures import Counts, Figures
from projections.queries.sagas import Saga


def in_tiles(now: Figures) -> Component:
    counts = now.counts
    oldest = now.oldest_unfinished
    took = {each.state: each for each in now.durations}
    confirmed = took.get("confirmed")
    return tiles(
        tile("Orders", f"{now.rate.orders:.1f}", "per second", "placed, last 10 s"),
        tile("Messages", f"{now.rate.messages:.1f}", "per second", "last 10 s"),
        tile(
            "Confirmed",
            figure_of(now.share_confirmed),
            "%" if now.share_confirmed is not None else "",
            "of ended orders",
        ),
        tile(
            "Compensation rate",
            figure_of(None if now.share_confirmed_last_hour is None else 1 - now.share_confirmed_last_hour),
            "%" if now.share_confirmed_last_hour is not None else "",
            "cancelled, last hour",
        ),
        tile(
            "Saga duration",
            words.duration(confirmed.median) if confirmed else words.NOTHING,
            note=f"median, 95 % in {words.duration(confirmed.p95)}" if confirmed else "none confirmed yet",
        ),
        tile("Unfinished", words.count(counts.unfinished), note=oldest_note(oldest)),
    )


def figure_of(share_: float | None) -> str:
    return words.NOTHING if share_ is None else words.percent(share_)


def oldest_note(oldest: Saga | None) -> Content:
    if oldest is None or oldest.waited_seconds is None:
        return "every order has ended"
    return ["oldest waits ", words.duration(oldest.waited_seconds), ": ", orders.order_link(oldest)]


def share(counts: Counts) -> Component:
    """Ended orders by state, beside the unfinished ones."""
    ended = counts.confirmed_ended + counts.cancelled_ended
    if not ended:
        return empty("No order has ended yet", "The first one appears here at once.")
    cut = f"{100 * counts.confirmed_ended / ended:.2f}%"
    share_ = f"{words.percent(counts.confirmed_ended / ended)} %"
    donut = html.Div(
        html.Div([html.B(share_), html.Span("confirmed")], className="donut-hole"),
        className="donut",
        style={"background": f"conic-gradient(var(--series-2) 0 {cut}, var(--series-3) {cut} 100%)"},
    )
    legend = html.Ul(
        [
            legend_line("Ended confirmed", counts.confirmed_ended, "var(--series-2)"),
            legend_line("Ended cancelled", counts.cancelled_ended, "var(--series-3)"),
            legend_line("Unfinished", counts.unfinished, "var(--series-1)"),
        ],
        className="legend",
    )
    states = html.P(
        f"All orders: {words.count(counts.placed)} placed, {words.count(counts.confirmed)} confirmed, "
        f"{words.count(counts.cancelled)} cancelled.",
        className="muted small",
    )
    return html.Div([html.Div([donut, legend], className="share"), states])


def legend_line(name: str, number: int, colour: str) -> html.Li:
    swatch = html.Span(className="swatch", style={"background": colour})
    return html.Li([swatch, name, html.Span(words.count(number), className="legend-value")])
