"""The running system: the topology and the table of its processes, and the broker's queues."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from textwrap import shorten

from dash import html
from dash.development.base_component import Component

from projections.dashboard.components import words
from projections.dashboard.components.basic import Content, Tone, aria, empty, icon, mark
from projections.dashboard.components.table import Column, table
from projections.monitor.snapshot import BrokerStatus, ProcessStatus, QueueFigures, Snapshot

STATES: dict[str, tuple[str, Tone, str]] = {
    "up": ("Up", "good", "check"),
    "not ready": ("Not ready", "warn", "warning"),
    "down": ("Down", "bad", "cross"),
}
MAX_SAID = 120
"""Characters of a problem beside its process in the flow; the table below has all of it."""
NAME = re.compile(r"(?P<row>.+)-(api|relay|worker)(-\d+)?")
"""The row and the column of a process in the topology, by its name."""


def state_mark(process: ProcessStatus) -> html.Span:
    return mark(*STATES[process.state])


def topology(snapshot: Snapshot) -> Component:
    """Each service's path to the broker and from it; the read side is the last row."""
    nodes: list[Component] = [heading(name) for name in ("API", "Relay", "Broker", "Worker")]
    names = rows(snapshot.processes)
    for place, name in enumerate(names, 2):
        nodes += [
            node(snapshot, f"{name}-api", place, 1),
            node(snapshot, f"{name}-relay", place, 2),
            node(snapshot, f"{name}-worker", place, 4),
        ]
    nodes.append(broker_node(snapshot.broker, max(1, len(names))))
    return html.Div(nodes, className="topology")


def rows(processes: Iterable[ProcessStatus]) -> list[str]:
    """`orders`, `payments` and so on; a row without a relay, which is the read side, comes last."""
    names = [each.name for each in processes]
    found = dict.fromkeys(place["row"] for place in map(NAME.fullmatch, names) if place)
    return sorted(found, key=lambda name: f"{name}-relay" not in names)


def heading(name: str) -> html.Div:
    return html.Div(name, className="topology-head muted small")


def node(snapshot: Snapshot, name: str, row: int, column: int) -> Component:
    """A process, or the worst of its numbered copies."""
    found = [each for each in snapshot.processes if each.name == name or each.name.startswith(f"{name}-")]
    style = {"gridRow": row, "gridColumn": column}
    if not found:
        return html.Div(className="topology-none", style=style, **aria(hidden="true"))
    worst = max(found, key=lambda each: ("up", "not ready", "down").index(each.state))
    text, tone, icon_name = STATES[worst.state]
    title: list[Component | str] = [
        icon(icon_name),
        name,
        html.Span(f" ({text.lower()})", className="hidden-text" if worst.state == "up" else ""),
    ]
    return html.Div(
        [
            html.Div(title, className=f"topology-name text-{tone}"),
            html.Div(shorten(activity(worst), MAX_SAID, placeholder=" …"), className="muted small"),
        ],
        className=f"topology-node topology-{column}",
        style=style,
    )


def activity(process: ProcessStatus) -> str:
    """The current activity, in figures; in their place the problems and warnings of a process that has some."""
    if process.problems:
        return "; ".join(process.problems)
    if process.state == "down":
        return "does not answer"
    if process.relays:
        return "; ".join(
            f"{'active' if each.is_active else 'standby'}, {words.counted(each.lag_rows, 'row')} behind, "
            f"{rate(each.published_per_second)}"
            for each in process.relays
        )
    if process.receiving:
        return "; ".join(f"{rate(each.received_per_second)} received, {parked(process)}" for each in process.receiving)
    if process.requests:
        p95 = process.requests.p95_seconds
        return f"{rate(process.requests.per_second)} answered" + (f", 95 % in {words.duration(p95)}" if p95 else "")
    return "; ".join(process.problems) or "answers"


def parked(process: ProcessStatus) -> str:
    number = sum(
        (each.retrying_now or 0) + (each.waiting_now or 0) + (each.dead_now or 0) for each in process.receiving
    )
    return f"{number} parked"


def rate(per_second: float | None) -> str:
    return f"{words.NOTHING if per_second is None else f'{per_second:.1f}'}/s"


def broker_node(broker: BrokerStatus, rows: int) -> Component:
    figures = [
        ("enqueued", rate(broker.enqueued_per_second)),
        ("delivered", rate(broker.delivered_per_second)),
        ("ready", words.NOTHING if broker.ready is None else words.count(broker.ready)),
        ("unacknowledged", words.NOTHING if broker.unacknowledged is None else words.count(broker.unacknowledged)),
    ]
    said = html.Dl(
        [part for name, value in figures for part in (html.Dt(name), html.Dd(value))], className="topology-figures"
    )
    return html.Div(
        [html.Div([icon("broker"), "RabbitMQ"], className="topology-name"), said],
        className="topology-node topology-broker",
        style={"gridRow": f"2 / span {rows}", "gridColumn": 3},
    )


def processes_table(processes: Iterable[ProcessStatus]) -> Component:
    columns: list[Column[ProcessStatus]] = [
        Column("Process", lambda each: html.B(each.name)),
        Column("State", state_mark),
        Column("Activity", activity, "muted wide-only"),
        Column("Started", lambda each: words.moment(each.started_at), "number"),
        Column("Uptime", lambda each: uptime(each), "number wide-only"),
        Column("Memory", lambda each: memory(each.memory_bytes), "number"),
        Column("CPU", lambda each: cpu(each.cores), "number"),
    ]
    return table("Processes", columns, processes)


def uptime(process: ProcessStatus) -> Content:
    return words.duration(datetime.now(UTC) - process.started_at) if process.started_at else words.NOTHING


def memory(size: int | None) -> str:
    return words.NOTHING if size is None else f"{size / 2**20:,.0f} MiB"


def cpu(cores: float | None) -> str:
    return words.NOTHING if cores is None else f"{cores * 100:.0f} %"


def queues_table(broker: BrokerStatus) -> Component:
    if not broker.queues:
        return empty("No metrics of the queues", broker.problem or "The broker has not answered yet.", "broker")
    columns: list[Column[QueueFigures]] = [
        Column("Queue", lambda queue: html.Span(queue.name, className="mono")),
        Column("Ready", lambda queue: words.count(queue.ready), "number"),
        Column("Unacknowledged", lambda queue: words.count(queue.unacknowledged), "number"),
        Column("Consumers", consumers, "number"),
    ]
    return table("Queues of the broker", columns, broker.queues)


def consumers(queue: QueueFigures) -> Content:
    """A queue of a group without a consumer is marked."""
    if queue.consumers is None:
        return words.NOTHING
    is_of_group = queue.name.rpartition(".")[2].isdigit()
    return mark("None", "bad", "warning") if is_of_group and not queue.consumers else words.count(queue.consumers)
