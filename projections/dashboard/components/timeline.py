"""An order's messages as a waterfall: each bar reaches from its cause to the message."""

from collections.abc import Sequence
from datetime import datetime
from operator import itemgetter
from uuid import UUID

from dash import dcc, html
from dash.development.base_component import Component

from projections.dashboard import addresses
from projections.dashboard.components import words
from projections.dashboard.components.basic import aria, mark
from projections.dashboard.components.event import event_detail
from projections.dashboard.components.kinds import kind_mark, kind_of
from projections.queries.notes import OrderNote
from projections.queries.timeline import TimelineEntry

OLDEST, NEWEST = 12, 48
"""Messages of an order that are drawn, of one that has more than these together; a browser is slow with hundreds."""


def drawn(entries: Sequence[TimelineEntry]) -> list[TimelineEntry]:
    """The messages that the page of an order draws."""
    return [*entries] if len(entries) <= OLDEST + NEWEST else [*entries[:OLDEST], *entries[-NEWEST:]]


def timeline(order_id: UUID, entries: Sequence[TimelineEntry], notes: Sequence[OrderNote] = ()) -> Component:
    """Oldest first, with the notes among the messages."""
    first, last = entries[0].time, max(each.time for each in entries)
    shown_entries = drawn(entries)
    lines = [(each.time, line(each, first, last)) for each in shown_entries]
    lines += [(each.noted_at, note(each)) for each in notes]
    if left_out := len(entries) - len(shown_entries):
        lines.append((entries[OLDEST].time, gap(order_id, left_out)))
    shown = [made for _, made in sorted(lines, key=itemgetter(0))]
    return html.Ol(shown, className="timeline", **aria(label="Messages and notes by time"))


def gap(order_id: UUID, number: int) -> html.Li:
    trail = dcc.Link("audit trail of this order", href=addresses.audit(order=str(order_id)))
    return html.Li([f"{number:,} messages are not drawn; the ", trail, " has them."], className="timeline-gap muted")


def note(found: OrderNote) -> html.Li:
    return html.Li(
        [
            mark("Note", "idle", "person"),
            html.Span([html.B(found.actor), ": ", found.text], className="timeline-note"),
            html.Span(words.moment(found.noted_at), className="timeline-time number"),
        ],
        className="timeline-noted",
    )


def line(entry: TimelineEntry, first: datetime, last: datetime) -> html.Li:
    who = f"{words.service(entry.source)}, for {entry.actor}"
    summary = html.Summary(
        [
            html.Span(kind_mark(entry.contract), className="timeline-kind"),
            html.Span(who, title=who, className="timeline-who muted"),
            html.Span(bar(entry, first, last), className="timeline-bar", **aria(hidden="true")),
            html.Span(delay(entry), className="timeline-delay number muted"),
            html.Span(words.moment(entry.time, fine=True), className="timeline-time number"),
        ],
        className="timeline-line",
    )
    return html.Li(html.Details([summary, event_detail(entry)], id=f"entry-{entry.message_id}"))


def delay(entry: TimelineEntry) -> str:
    return "first cause" if entry.since_cause is None else f"after {words.duration(entry.since_cause)}"


def bar(entry: TimelineEntry, first: datetime, last: datetime) -> html.Span:
    whole = max((last - first).total_seconds(), 0.001)
    to = (entry.time - first).total_seconds() / whole
    length = min(to, (entry.since_cause or 0) / whole)
    style = {"left": f"{100 * (to - length):.2f}%", "width": f"max(3px, {100 * length:.2f}%)"}
    return html.Span(className=f"bar bar-{kind_of(entry.contract).tone}", style=style)
