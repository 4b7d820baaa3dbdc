"""The outside dependencies: each operation of a resource, whether it answers, and what waits for it."""

from collections.abc import Iterator
from typing import NamedTuple

from dash import html
from dash.development.base_component import Component

from projections.dashboard.components import words
from projections.dashboard.components.basic import Content, Tone, empty, mark
from projections.dashboard.components.processes import rate
from projections.dashboard.components.table import Column, table
from projections.monitor.dependencies import OperationFigures
from projections.monitor.snapshot import Snapshot

STATES: dict[str, tuple[str, Tone, str]] = {
    "closed": ("Closed", "good", "check"),
    "open": ("Open", "bad", "cross"),
    "half open": ("Half open", "bad", "warning"),
}
NOTE = "Open: it does not answer and is called once every few seconds; messages that need it are parked"


class Dependency(NamedTuple):
    """An operation, and the process whose figures these are."""

    process: str
    figures: OperationFigures


def dependencies(snapshot: Snapshot) -> Iterator[Dependency]:
    for process in snapshot.processes:
        for figures in process.last.operations:
            yield Dependency(process.name, figures)


def dependencies_table(snapshot: Snapshot) -> Component:
    found = list(dependencies(snapshot))
    if not found:
        return empty("No outside dependencies", "No worker calls another system.", "check")
    columns: list[Column[Dependency]] = [
        Column("Resource", lambda each: html.B(each.figures.resource)),
        Column("Operation", lambda each: each.figures.operation),
        Column("State", lambda each: mark(*STATES[each.figures.state])),
        Column("Since", lambda each: words.moment(each.figures.since), "number"),
        Column("Calls/s", lambda each: rate(each.figures.calls_per_second), "number"),
        Column("Failures, last minute", failures, "number"),
        Column("Under way", lambda each: words.count(each.figures.in_progress), "number"),
        Column("Waiting", waiting, "number"),
        Column("95 % within", p95_of, "number"),
        Column("Process", lambda each: each.process, "muted wide-only"),
    ]
    return table("Outside dependencies", columns, found)


def failures(each: Dependency) -> Content:
    """Red when a call failed; calls that the rate limit of the resource refused are counted apart."""
    failed, limited = each.figures.failed, each.figures.rate_limited
    if failed is None:
        return words.NOTHING
    told = [mark(words.count(failed), "bad", "warning")] if failed else []
    if limited:
        told.append(mark(f"{words.count(limited)} rate limited", "warn", "clock"))
    return told or "0"


def waiting(each: Dependency) -> Content:
    number = each.figures.waiting
    return mark(words.count(number), "warn", "clock") if number else "0"


def p95_of(each: Dependency) -> str:
    seconds = each.figures.p95_seconds
    return words.NOTHING if seconds is None else words.duration(seconds)
