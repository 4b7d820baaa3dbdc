"""One message in full; its content is shown as text, never as markup."""

import json

from dash import dcc, html
from dash.development.base_component import Component

from ordersaga.readside.events import LoggedEvent
from projections.dashboard import addresses
from projections.dashboard.addresses import address
from projections.dashboard.components import words
from projections.dashboard.components.basic import Content, pairs
from projections.dashboard.components.copying import copyable
from projections.dashboard.components.kinds import kind_mark


def event_detail(event: LoggedEvent) -> Component:
    """Its envelope and its payload."""
    return html.Div(
        [
            html.P([kind_mark(event.contract), html.Span(event.contract, className="mono muted")], className="toolbar"),
            html.P(dcc.Link("Causes and effects", href=address(f"audit/{event.message_id}"))),
            pairs(
                ("Time", words.moment(event.time, fine=True)),
                ("Received", [words.moment(event.received_at, fine=True), f", {delay(event)} later"]),
                ("Source", words.service(event.source)),
                ("Actor", event.actor),
                ("Key", key(event)),
                ("Sequence", words.count(event.sequence)),
                ("Position", words.count(event.position)),
                ("Message", identifier(event.message_id, "message id")),
                (
                    "Caused by",
                    message_link(event.causation_id) if event.causation_id else "a request or a deadline",
                ),
                ("Correlation", identifier(event.correlation_id, "correlation id")),
                ("Trace", identifier(event.trace_id, "trace id")),
            ),
            html.H3("Payload"),
            payload(event.body),
        ],
        className="event-detail",
    )


def delay(event: LoggedEvent) -> str:
    return words.duration(event.received_at - event.time)


def key(event: LoggedEvent) -> Content:
    """A link to the page of the order or the product."""
    if is_of_order(event):
        return copyable(event.key, "order id", dcc.Link(event.key, href=addresses.order(event.key)))
    return copyable(event.key, "SKU", dcc.Link(event.key, href=addresses.product(event.key)))


def is_of_order(event: LoggedEvent) -> bool:
    return "order_id" in event.body


def identifier(value: object, what: str = "id") -> html.Span:
    return copyable(value, what)


def message_link(message_id: object) -> Component:
    return dcc.Link(str(message_id), href=address(f"events/{message_id}"), className="mono")


def payload(body: object) -> html.Pre:
    """Text, never markup: a payload may contain anything."""
    return html.Pre(json.dumps(body, indent=2, ensure_ascii=False), className="payload", tabIndex=0)
