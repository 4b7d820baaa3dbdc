"""An order's messages as a waterfall: each bar reaches from its cause to the message."""

from collections.abc import Sequence
from datetime import datetime

from dash import dcc, html
from dash.development.base_component import Component

from projections.dashboard.components import words
from projections.dashboard.components.basic import aria
from projections.dashboard.components.kinds import kind_mark, kind_of
from projections.dashboard.places import place
from projections.queries.story import Told


def timeline(told: Sequence[Told]) -> Component:
    """Oldest first."""
    first, last = told[0].time, max(each.time for each in told)
    return html.Ol([line(each, first, last) for each in told], className="timeline", **aria(label="Messages by time"))


def line(told: Told, first: datetime, last: datetime) -> html.Li:
    who = f"{words.service(told.source)}, for {told.actor}"
    return html.Li(
        [
            dcc.Link(kind_mark(told.contract), href=place(f"events/{told.message_id}"), className="timeline-kind"),
            html.Span(who, title=who, className="timeline-who muted"),
            html.Span(bar(told, first, last), className="timeline-bar", **aria(hidden="true")),
            html.Span(delay(told), className="timeline-delay number muted"),
            html.Span(words.moment(told.time, fine=True), className="timeline-time number"),
        ]
    )


def delay(told: Told) -> str:
    return "from outside" if told.since_cause is None else f"after {words.duration(told.since_cause)}"


def bar(told: Told, first: datetime, last: datetime) -> html.Span:
    whole = max((last - first).total_seconds(), 0.001)
    to = (told.time - first).total_seconds() / whole
    length = min(to, (told.since_cause or 0) / whole)
    style = {"left": f"{100 * (to - length):.2f}%", "width": f"max(3px, {100 * length:.2f}%)"}
    return html.Span(className=f"bar bar-{kind_of(told.contract).tone}", style=style)
