"""The lag of each relay and each group."""

from datetime import datetime

from dash import html
from dash.development.base_component import Component

from projections.dashboard.components import words
from projections.dashboard.components.age import age
from projections.dashboard.components.basic import Content, empty, mark
from projections.dashboard.components.table import Column, table
from projections.monitor.expected import Expected
from projections.monitor.process_alarms import databases_of, groups_of
from projections.monitor.snapshot import ProcessStatus, RelayFigures, Snapshot, Snapshots

LAG_SECONDS = 5.0
"""A greater lag is marked."""

Lag = tuple[str, Content, Content]
"""Relay or group, its lag, and its state."""


def lag(snapshots: Snapshots, expected: Expected) -> Component:
    """The lag of each relay and each group, in a table; one that does not answer keeps its row."""
    snapshot = snapshots.latest
    if snapshot is None:
        return empty("Asking the processes", "The first answers take about a second.", "clock")
    columns: list[Column[Lag]] = [
        Column("Relay or group", lambda row: row[0]),
        Column("Lag", lambda row: row[1], "number"),
        Column("State", lambda row: row[2], "number"),
    ]
    rows = [*relay_rows(snapshot, expected), *group_rows(snapshot, expected)]
    return html.Div([*age(snapshots), table("Lag of relays and groups", columns, rows), *problems(snapshot)])


def problems(snapshot: Snapshot) -> list[Component]:
    """What is wrong with the active relays, below the table: sentences are wider than a column."""
    active = [process for process in snapshot.processes if any(each.is_active for each in process.relays)]
    sentences = dict.fromkeys(sentence for process in active for sentence in process.problems)
    return [html.Div(sentence, className="card-body small") for sentence in sentences]


def relay_rows(snapshot: Snapshot, expected: Expected) -> list[Lag]:
    relays = [(process, each) for process in snapshot.processes for each in process.last.relays]
    found = {each.database: absent_relay(process, each) for process, each in relays}
    found |= {
        each.database: relay_lag(process, each) for process, each in relays if each.is_active and not process.before
    }
    none: tuple[Content, Content] = words.NOTHING, mark("No active relay", "bad", "warning")
    databases = sorted(databases_of(snapshot, expected))
    return [(f"{words.service(database)} relay", *found.get(database, none)) for database in databases]


def absent_relay(process: ProcessStatus, relay: RelayFigures) -> tuple[Content, Content]:
    """The figures of a relay that does not publish, with their age if they are old."""
    state = mark("No active relay", "bad", "warning")
    if process.before and process.before.answered_at:
        return words.counted(relay.lag_rows, "row"), [state, last_seen(process.before.answered_at)]
    return words.NOTHING, state


def last_seen(at: datetime) -> html.Div:
    """The age of the last figures of what does not answer."""
    return html.Div(["figures of ", words.ago(at)], className="muted small last-seen")


def relay_lag(process: ProcessStatus, relay: RelayFigures) -> tuple[Content, Content]:
    """The lag of an active relay, and its state."""
    late = relay.lag_seconds > LAG_SECONDS
    behind = f"{words.counted(relay.lag_rows, 'row')}, {words.duration(round(relay.lag_seconds, 1))}"
    if process.problems and process.state == "up":
        return behind, mark("Warning", "warn", "warning")
    if process.problems:
        return behind, mark("Not ready", "bad", "warning")
    return behind, mark("Late", "warn", "warning") if late else mark("Current", "good", "check")


def group_rows(snapshot: Snapshot, expected: Expected) -> list[Lag]:
    """The lag of a group is the length of its queues."""
    waiting = snapshot.broker.waiting()
    rows: list[Lag] = []
    for group in sorted(groups_of(snapshot, expected)):
        behind = words.counted(waiting[group], "message") if group in waiting else words.NOTHING
        rows.append((f"{words.service(group)} group", behind, group_state(snapshot, group)))
    return rows


def group_state(snapshot: Snapshot, group: str) -> Content:
    parts = [
        (process, each) for process in snapshot.processes for each in process.last.receiving if each.group == group
    ]
    if not parts:
        return mark("No worker", "bad", "warning")
    if all(process.before for process, _ in parts):
        newest = max(process.last.answered_at for process, _ in parts if process.last.answered_at)
        return [mark("No answer", "bad", "warning"), last_seen(newest)]
    if not any(process.state == "up" for process, _ in parts):
        return mark("Not ready", "bad", "warning")
    dead = max((each.dead_now or 0 for _, each in parts), default=0)
    parked = max(((each.retrying_now or 0) + (each.waiting_now or 0) for _, each in parts), default=0) + dead
    if dead:
        return mark(f"{dead} dead", "bad", "parked")
    return mark(f"{parked} parked", "warn", "parked") if parked else mark("Current", "good", "check")
