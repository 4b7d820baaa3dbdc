"""Charts of the figures that are kept: lag, queues, parked messages, durations, memory and CPU."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from projections.dashboard.components import charts
from projections.dashboard.components.charts import Figure, Series
from projections.dashboard.components.traffic import CANCELLED, CONFIRMED, MESSAGES, broker_lines
from projections.queries.history import FigurePoint, Span, Traffic

VIOLET, GREY = "#8f62d9", "#7d8794"
COLOURS = {"order": charts.BLUE, "payment": charts.GREEN, "inventory": charts.AMBER, "projections": VIOLET}
LEGEND = (
    ("Orders", charts.BLUE),
    ("Payments", charts.GREEN),
    ("Inventory", charts.AMBER),
    ("Projections", VIOLET),
    ("Others", GREY),
)


@dataclass(frozen=True)
class Chart:
    """One chart of the history: a figure of every subject, one line each."""

    figure: str
    title: str
    note: str
    scale: float = 1.0
    """What a value is multiplied with to be in `unit`."""
    unit: str = ""
    counts: bool = False
    is_mean: bool = False
    """Whether a point is the mean of its step; else it is the greatest value."""


CHARTS = (
    Chart("relay_lag", "Lag of relays", "Outbox to broker, seconds", unit=" s"),
    Chart("waiting", "Messages in queues", "Per group", counts=True),
    Chart("parked", "Parked messages", "Per group", counts=True),
    Chart("p95", "Response time", "95 % of requests, milliseconds", 1000, " ms"),
    Chart("memory", "Memory", "Per process, MiB", 2**-20, " MiB"),
    Chart("cpu", "CPU", "All processes, % of one core", 100, " %", is_mean=True),
)
BROKER_FIGURES = ("enqueued", "delivered", "unacknowledged")


def steps(span: Span, now: datetime) -> list[datetime]:
    """The beginnings of all steps, also of those without a value."""
    step = span.step.total_seconds()
    last = int(now.timestamp() // step)
    first = last - span.length // span.step
    return [datetime.fromtimestamp(number * step, now.tzinfo) for number in range(first, last + 1)]


def values(chart: Chart, points: Sequence[FigurePoint], times: Sequence[datetime]) -> dict[str, list[float | None]]:
    """Subject -> a value for each time, None where nobody recorded one."""
    of_subjects: dict[str, dict[datetime, float]] = {}
    for point in points:
        if point.figure == chart.figure:
            value = (point.mean if chart.is_mean else point.greatest) * chart.scale
            of_subjects.setdefault(point.subject, {})[point.at] = value
    return {subject: [found.get(at) for at in times] for subject, found in sorted(of_subjects.items())}


def figure(chart: Chart, points: Sequence[FigurePoint], span: Span, now: datetime) -> Figure:
    times = steps(span, now)
    found = values(chart, points, times)
    series = [Series(name or chart.title, colour(name), line, unit=chart.unit) for name, line in found.items()]
    axis = charts.counts_axis(*found.values()) if chart.counts else {}
    return charts.figure(times, series, {"yaxis": axis, "xaxis": time_axis(span, now)}, hovermode="closest")


def colour(subject: str) -> str:
    return next((each for name, each in COLOURS.items() if subject.startswith(name)), GREY if subject else charts.BLUE)


def time_axis(span: Span, now: datetime) -> Figure:
    """The whole span, also where nothing was recorded."""
    days = span.length.days
    return {
        "range": [charts.local(now - span.length), charts.local(now)],
        "tickformat": "%-d %b" if days > 1 else "%H:%M",
        "nticks": 6,
    }


def traffic_figure(points: Sequence[Traffic], span: Span, now: datetime) -> Figure:
    """Messages and orders per minute, on average of each step; a step without a message is empty."""
    times = steps(span, now)
    found = {point.at: point for point in points}
    rows = [found.get(at) for at in times]
    bars = [(MESSAGES, "messages", "y"), (CONFIRMED, "confirmed", "y2"), (CANCELLED, "cancelled", "y2")]
    lines = [
        Series(*named, [getattr(row, field) if row else None for row in rows], axis, bars=True)
        for named, field, axis in bars
    ]
    axes = {"yaxis": {"domain": [0.55, 1]}, "yaxis2": {"domain": [0, 0.45]}}
    return charts.figure(times, lines, {**axes, "xaxis": {**time_axis(span, now), "anchor": "y2"}}, bargap=0)


def broker_figure(points: Sequence[FigurePoint], span: Span, now: datetime) -> Figure:
    """Rates as means, unacknowledged messages as the greatest number of each step."""
    times = steps(span, now)
    lines = {
        name: values(Chart(name, "", "", is_mean=name != "unacknowledged"), points, times).get("", [None] * len(times))
        for name in BROKER_FIGURES
    }
    return broker_lines(times, lines["enqueued"], lines["delivered"], lines["unacknowledged"], time_axis(span, now))
