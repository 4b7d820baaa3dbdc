"""One message in full; what it says is shown as text."""

import json

from dash import dcc, html
from dash.development.base_component import Component

from projections.dashboard.components import words
from projections.dashboard.components.basic import Content, pairs
from projections.dashboard.components.kinds import kind_mark
from projections.dashboard.places import place
from projections.queries.events import Event


def event_detail(event: Event) -> Component:
    """Who said it, when, because of what, and the body."""
    return html.Div(
        [
            html.P([kind_mark(event.contract), html.Span(event.contract, className="mono muted")], className="toolbar"),
            html.P(dcc.Link("Why it was sent, and what came of it", href=place(f"audit/{event.message_id}"))),
            pairs(
                ("Time", words.moment(event.time, fine=True)),
                ("Received", [words.moment(event.received_at, fine=True), f", {lapse(event)} later"]),
                ("From", words.service(event.source)),
                ("Actor", event.actor),
                ("Key", key(event)),
                ("Sequence", words.count(event.sequence)),
                ("Position", words.count(event.position)),
                ("Message", whole(event.message_id)),
                ("Caused by", message_link(event.causation_id) if event.causation_id else "a request"),
                ("Correlation", whole(event.correlation_id)),
                ("Trace", whole(event.trace_id)),
            ),
            html.H3("Payload"),
            payload(event.body),
        ],
        className="event-detail",
    )


def lapse(event: Event) -> str:
    return words.duration(event.received_at - event.time)


def key(event: Event) -> Content:
    """An order's key is a link to its page; a product has no page."""
    if is_of_order(event):
        return dcc.Link(event.key, href=place(f"orders/{event.key}"), className="mono")
    return whole(event.key)


def is_of_order(event: Event) -> bool:
    return "order_id" in event.body


def whole(identifier: object) -> html.Span:
    return html.Span(str(identifier), className="mono")


def message_link(message_id: object) -> Component:
    return dcc.Link(str(message_id), href=place(f"events/{message_id}"), className="mono")


def payload(body: object) -> html.Pre:
    """Never as markup: a customer's name may be anything."""
    return html.Pre(json.dumps(body, indent=2, ensure_ascii=False), className="payload", tabIndex=0)
