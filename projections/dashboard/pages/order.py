"""One order: its steps with their compensation, what it waits for, its messages and their causes."""

from typing import Any

from dash import Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from ordersaga.readside.short_ids import digits_of, short
from projections.dashboard import addresses
from projections.dashboard.components import causes, facts, orders, steps
from projections.dashboard.components import order_actions as order_buttons
from projections.dashboard.components.basic import card, empty, skeleton
from projections.dashboard.components.found import ambiguous
from projections.dashboard.components.payment import payment
from projections.dashboard.components.timeline import drawn, timeline
from projections.dashboard.page import in_browser
from projections.dashboard.pages import order_actions
from projections.dashboard.reading import Reader
from projections.dashboard.shell import TICK, page_frame
from projections.dashboard.viewer import viewer
from projections.queries.search import AmbiguousId
from projections.queries.timeline import Timeline


def layout(order_id: str) -> Component:
    if not digits_of(order_id):
        return page_frame("Order", unknown(order_id))
    return page_frame(
        f"Order {short(order_id)}",
        html.Div(skeleton(178), id="order-head"),
        order_actions.actions_card(),
        html.Div(
            [
                card(
                    "Timeline",
                    html.Div(skeleton(300), id="order-timeline"),
                    note="A bar reaches from the cause to the message; open a message to read it",
                    wide=8,
                ),
                card("Causes and effects", causes.graph("order-graph", 340), wide=4, flush=True),
            ],
            className="grid",
        ),
        dcc.Store(id="order-order", data=order_id),
        dcc.Store(id="order-shown", data=0),
        dcc.Store(id="order-waits", data=False),
        tools=[
            dcc.Link("Audit trail of this order", href=addresses.audit(order=order_id)),
            dcc.Link("All orders", href=addresses.address("orders")),
        ],
    )


def callbacks(app: Dash, reader: Reader) -> None:
    @app.callback(
        Output("order-head", "children"),
        Output("order-timeline", "children"),
        Output("order-graph", "elements"),
        Output("order-shown", "data"),
        Output("order-buttons", "children"),
        Output("order-waits", "data"),
        Input(TICK, "data"),
        State("order-order", "data"),
        State("order-shown", "data"),
        State("order-waits", "data"),
    )
    def refresh(_: int, order_id: str, shown: int, waited: bool) -> tuple[Any, ...]:
        try:
            found = reader.timeline(order_id)
        except AmbiguousId as several:
            return ambiguous(several, addresses.order), empty("No messages", ""), [], 0, [], False
        if found is None:
            return unknown(order_id), empty("No messages", ""), [], 0, [], False
        waits, number = found.saga.waits_for is not None, len(found.entries) + len(found.notes)
        if number == shown:
            # Only the time that it waits has changed; what is drawn again takes focus and clicks away.
            top = head(found, reader.trace_url) if waits or waited else no_update
            return top, no_update, no_update, no_update, no_update, waits
        return (
            head(found, reader.trace_url),
            timeline(found.saga.order_id, found.entries, found.notes),
            causes.elements(drawn(found.entries), found.edges),
            number,
            order_buttons.buttons(found, viewer().may_act),
            waits,
        )

    order_actions.callbacks(app, reader)
    in_browser(
        app,
        "graph",
        "paint",
        Output("order-graph", "stylesheet"),
        Input("order-shown", "data"),
        Input(TICK, "data"),
    )


def unknown(order_id: str) -> Component:
    return empty("Order not found", f"{order_id}: an order that was placed just now appears within a second.", "search")


def head(found: Timeline, trace_url: str) -> Component:
    """Everything but the messages; it changes while an order waits."""
    saga = found.saga
    return html.Div(
        [
            card("Steps", steps.of_order(found), aside=orders.state_mark(saga)),
            card("This order", facts.facts(found, trace_url), wide=4),
            card("Lines", facts.lines(saga), wide=4, flush=True),
            card("Payment", payment(found.payment), wide=4),
        ],
        className="grid",
    )
