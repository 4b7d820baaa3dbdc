"""The processes, their state, and the flow of messages through them."""

from typing import Any

from dash import Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from projections.dashboard.components import charts, history, processes, ranges, words
from projections.dashboard.components import pause as pause_parts
from projections.dashboard.components.age import age
from projections.dashboard.components.basic import card, empty, skeleton, tile, tiles
from projections.dashboard.components.dependencies import NOTE, dependencies_table
from projections.dashboard.components.history import Chart
from projections.dashboard.page import Page
from projections.dashboard.pages import pause
from projections.dashboard.query import asked
from projections.dashboard.reading import Reader
from projections.dashboard.shell import SLOW, TICK, page_frame
from projections.monitor.snapshot import Snapshot, Snapshots

PATH = "infrastructure"
DEFAULT = "1h"
REGIONS = ("tiles", "topology", "processes", "dependencies", "queues")


def layout(_: str) -> Component:
    return page_frame(
        "Infrastructure",
        html.Div(skeleton(88), id="infra-tiles"),
        card(
            "Message flow",
            html.Div(skeleton(360), id="infra-topology"),
            note="From each service through the broker to every group",
        ),
        card("Processes", html.Div(skeleton(420), id="infra-processes"), flush=True),
        *pause_parts.groups_card(),
        card("Outside dependencies", html.Div(skeleton(160), id="infra-dependencies"), note=NOTE, flush=True),
        card("Broker queues", html.Div(skeleton(300), id="infra-queues"), flush=True),
        html.Div(
            [
                html.H2("History"),
                charts.legend(*history.LEGEND),
                html.Div(
                    ranges.picker(PATH, ranges.known(asked("range"), DEFAULT), DEFAULT),
                    id="infra-ranges",
                    className="history-ranges",
                ),
            ],
            className="history-head",
        ),
        html.Div([history_card(each) for each in history.CHARTS], className="grid"),
        dcc.Store(id="infra-drawn"),
    )


def history_card(each: Chart) -> Component:
    chart = charts.chart(f"infra-{each.figure}", f"{each.title}: {each.note}")
    return card(each.title, chart, note=each.note, wide=4)


def callbacks(app: Dash, reader: Reader) -> None:
    pause.callbacks(app, reader.services)

    @app.callback([Output(f"infra-{name}", "children") for name in REGIONS], Input(TICK, "data"))
    def refresh(_: int) -> list[Any]:
        return update(reader.snapshots())

    @app.callback(
        *(Output(f"infra-{each.figure}", "figure") for each in history.CHARTS),
        Output("infra-ranges", "children"),
        Output("infra-drawn", "data"),
        Input(SLOW, "data"),
        Input("url", "search"),
        State("infra-drawn", "data"),
    )
    def redraw(_: int, search: str | None, drawn: str | None) -> tuple[Any, ...]:
        choice = ranges.chosen(search, DEFAULT)
        found = reader.history(choice, [each.figure for each in history.CHARTS])
        if drawn == (key := f"{choice} {found.now}"):
            return (no_update,) * (len(history.CHARTS) + 2)
        figures = [history.figure(each, found.points, found.span, found.now) for each in history.CHARTS]
        return *figures, ranges.picker(PATH, choice, DEFAULT), key


def update(snapshots: Snapshots) -> list[Component]:
    """The content of the regions, in their order."""
    snapshot = snapshots.latest
    if snapshot is None:
        asking = empty("Asking the processes", "The first answers take about a second.", "clock")
        return [html.Div(skeleton(88)), asking, asking, asking, asking]
    return [
        html.Div([*age(snapshots), summary(snapshot)]),
        processes.topology(snapshot),
        processes.processes_table(snapshot.processes),
        dependencies_table(snapshot),
        processes.queues_table(snapshot.broker),
    ]


def summary(snapshot: Snapshot) -> Component:
    up = sum(process.state == "up" for process in snapshot.processes)
    memory = sum(process.memory_bytes or 0 for process in snapshot.processes)
    cores = sum(process.cores or 0 for process in snapshot.processes)
    lag = max(
        (each.lag_seconds for process in snapshot.processes for each in process.relays if each.is_active), default=None
    )
    broker = snapshot.broker
    return tiles(
        tile(
            "Processes up",
            f"{up} of {len(snapshot.processes)}",
            note=not_up(snapshot),
            look="" if up == len(snapshot.processes) else "tile-bad",
        ),
        tile("Memory", f"{memory / 2**20:,.0f}", "MiB", "all processes"),
        tile("CPU", f"{cores * 100:.0f}", "%", "of one core, all processes"),
        tile(
            "Longest relay lag",
            words.NOTHING if lag is None else words.duration(round(lag, 1)),
            note="outbox to broker",
        ),
        tile("Ready in queues", words.NOTHING if broker.ready is None else words.count(broker.ready), note="messages"),
        tile(
            "Unroutable",
            words.NOTHING if broker.unroutable is None else words.count(broker.unroutable),
            note="since the broker started",
        ),
    )


def not_up(snapshot: Snapshot) -> str:
    names = [process.name for process in snapshot.processes if process.state != "up"]
    return f"not up: {', '.join(names)}" if names else "every monitored process"


PAGE = Page(PATH, "Infrastructure", "infrastructure", layout, callbacks)
