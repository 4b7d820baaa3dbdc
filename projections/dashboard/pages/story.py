"""One order's story: how far it is, what was undone, what it waits for, who said what, and because of what."""

from typing import Any
from uuid import UUID

from dash import Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from projections.dashboard.components import causes, facts, orders, steps
from projections.dashboard.components.basic import card, empty, skeleton
from projections.dashboard.components.payment import payment
from projections.dashboard.components.timeline import timeline
from projections.dashboard.page import in_browser
from projections.dashboard.places import id_of, place
from projections.dashboard.reading import Reader
from projections.dashboard.shell import TICK, page_frame
from projections.queries.story import Story


def layout(order_id: str) -> Component:
    if not id_of(order_id):
        return page_frame("Order", unknown(order_id))
    return page_frame(
        f"Order {order_id[-8:]}",
        html.Div(skeleton(178), id="story-head"),
        html.Div(
            [
                card(
                    "Messages",
                    html.Div(skeleton(300), id="story-timeline"),
                    note="The bar reaches from the cause to the message",
                    wide=8,
                ),
                card("What caused what", causes.graph("story-graph", 340), wide=4, flush=True),
            ],
            className="grid",
        ),
        dcc.Store(id="story-order", data=order_id),
        dcc.Store(id="story-told", data=0),
        tools=dcc.Link("All orders", href=place("orders")),
    )


def callbacks(app: Dash, reader: Reader) -> None:
    @app.callback(
        Output("story-head", "children"),
        Output("story-timeline", "children"),
        Output("story-graph", "elements"),
        Output("story-told", "data"),
        Input(TICK, "data"),
        State("story-order", "data"),
        State("story-told", "data"),
    )
    def refresh(_: int, order_id: str, told: int) -> tuple[Any, ...]:
        story = reader.story(UUID(order_id))
        if story is None:
            return unknown(order_id), empty("No messages", ""), [], 0
        if len(story.timeline) == told:
            return head(story), no_update, no_update, no_update
        return head(story), timeline(story.timeline), causes.elements(story.timeline, story.edges), len(story.timeline)

    in_browser(
        app,
        "graph",
        "paint",
        Output("story-graph", "stylesheet"),
        Input("story-told", "data"),
        Input(TICK, "data"),
    )


def unknown(order_id: str) -> Component:
    return empty(
        "This order is not known here", f"{order_id}: if it has just been placed, it appears within a second.", "search"
    )


def head(story: Story) -> Component:
    """All but the messages; it changes while an order waits."""
    saga = story.saga
    return html.Div(
        [
            card("Steps", steps.of_order(story), aside=orders.state_mark(saga)),
            card("This order", facts.facts(story), wide=4),
            card("Lines", facts.lines(saga), wide=4, flush=True),
            card("Payment", payment(story.payment), wide=4),
        ],
        className="grid",
    )
