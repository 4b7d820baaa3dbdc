"""An order's messages as a waterfall: each bar reaches from its cause to the message."""

from collections.abc import Sequence
from datetime import datetime

from dash import dcc, html
from dash.development.base_component import Component

from projections.dashboard.addresses import address
from projections.dashboard.components import words
from projections.dashboard.components.basic import aria
from projections.dashboard.components.kinds import kind_mark, kind_of
from projections.queries.timeline import TimelineEntry


def timeline(entries: Sequence[TimelineEntry]) -> Component:
    """Oldest first."""
    first, last = entries[0].time, max(each.time for each in entries)
    lines = [line(each, first, last) for each in entries]
    return html.Ol(lines, className="timeline", **aria(label="Messages by time"))


def line(entry: TimelineEntry, first: datetime, last: datetime) -> html.Li:
    who = f"{words.service(entry.source)}, for {entry.actor}"
    return html.Li(
        [
            dcc.Link(kind_mark(entry.contract), href=address(f"events/{entry.message_id}"), className="timeline-kind"),
            html.Span(who, title=who, className="timeline-who muted"),
            html.Span(bar(entry, first, last), className="timeline-bar", **aria(hidden="true")),
            html.Span(delay(entry), className="timeline-delay number muted"),
            html.Span(words.moment(entry.time, fine=True), className="timeline-time number"),
        ]
    )


def delay(entry: TimelineEntry) -> str:
    return "first cause" if entry.since_cause is None else f"after {words.duration(entry.since_cause)}"


def bar(entry: TimelineEntry, first: datetime, last: datetime) -> html.Span:
    whole = max((last - first).total_seconds(), 0.001)
    to = (entry.time - first).total_seconds() / whole
    length = min(to, (entry.since_cause or 0) / whole)
    style = {"left": f"{100 * (to - length):.2f}%", "width": f"max(3px, {100 * length:.2f}%)"}
    return html.Span(className=f"bar bar-{kind_of(entry.contract).tone}", style=style)
