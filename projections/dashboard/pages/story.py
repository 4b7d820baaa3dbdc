"""One order's story: how far it is, what was undone, what it waits for, who said what, and because of what."""

from typing import Any
from uuid import UUID

from dash import Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from projections.dashboard.components import causes, orders, words
from projections.dashboard.components.basic import Content, card, empty, mark, pairs, skeleton
from projections.dashboard.components.event import whole
from projections.dashboard.components.flow import Look, Step, flow
from projections.dashboard.components.table import Column, table
from projections.dashboard.components.timeline import timeline
from projections.dashboard.page import in_browser
from projections.dashboard.places import id_of, place
from projections.dashboard.reading import Reader
from projections.dashboard.shell import TICK, page_frame
from projections.queries.payments import Payment
from projections.queries.sagas import Line, Saga, Usual
from projections.queries.story import Step as Told
from projections.queries.story import StepState, Story

NAMES = {"placed": "Placed", "reserved": "Stock reserved", "charged": "Payment captured", "confirmed": "Confirmed"}
FAILED = {"reserved": "Stock rejected", "charged": "Payment declined"}
LOOKS: dict[StepState, Look] = {
    "done": "done",
    "under_way": "now",
    "failed": "failed",
    "undoing": "undone",
    "undone": "undone",
    "not_reached": "idle",
}


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
            card("Steps", flow(forward(story), back(saga), "Steps of this order"), aside=orders.state_mark(saga)),
            card("This order", facts(story), wide=4),
            card("Lines", lines(saga), wide=4, flush=True),
            card("Payment", payment(story.payment), wide=4),
        ],
        className="grid",
    )


def forward(story: Story) -> list[Step]:
    return [forward_step(step, story) for step in story.steps]


def forward_step(step: Told, story: Story) -> Step:
    name = FAILED[step.name] if step.state == "failed" else NAMES[step.name]
    if step.state == "under_way":
        slow = story.saga.overdue or orders.is_slow(story.saga, story.usual)
        return Step(name, "now", note=waits(story.saga, story.usual), late=slow)
    return Step(name, LOOKS[step.state], note=[words.moment(step.at, fine=True), *because(step)] if step.at else "")


def because(step: Told) -> list[Component | str]:
    return [", ", words.plainly(step.reason).lower()] if step.state == "failed" and step.reason else []


def back(saga: Saga) -> list[Step]:
    """What was undone; it is drawn below the step that failed and those before it."""
    if not saga.cancelled_at:
        return []
    note = [words.moment(saga.cancelled_at, fine=True), f", {orders.why(saga).lower()}"]
    refund = undoing("Money given back", saga.captured_at or saga.late_charge_at, saga.refunded_at)
    release = undoing("Stock released", saga.reserved_at, saga.released_at)
    return [Step("Order cancelled", "undone", note=note), *(step for step in (refund, release) if step)]


def undoing(name: str, done_at: Any, undone_at: Any) -> Step | None:
    if not done_at:
        return None
    return (
        Step(name, "undone", note=words.moment(undone_at, fine=True))
        if undone_at
        else Step(name, "now", note="under way")
    )


def facts(story: Story) -> Component:
    saga = story.saga
    rows: list[tuple[str, Content]] = [
        ("Order", whole(saga.order_id)),
        ("Customer", saga.customer or words.NOTHING),
        ("Total", orders.total(saga)),
        ("Placed", words.moment(saga.placed_at)),
        ("Due by", [words.moment(saga.complete_by), " ", mark("Overdue", "bad", "warning") if saga.overdue else ""]),
    ]
    if saga.waits_for:
        rows.append(("Waits for", [orders.WAITS[saga.waits_for], ", ", waits(saga, story.usual)]))
    elif saga.ended_at and saga.placed_at:
        rows.append(
            ("Ended", [words.moment(saga.ended_at), f", after {words.duration(saga.ended_at - saga.placed_at)}"])
        )
    rows.append(("Correlation", whole(saga.correlation_id or words.NOTHING)))
    return pairs(*rows)


def waits(saga: Saga, usual: Usual | None) -> Component:
    """How long it has waited, beside how long others did."""
    parts: list[Component | str] = ["for ", html.Span(orders.waiting_time(saga, usual))]
    if usual:
        parts.append(f"; usually {words.duration(usual.median)}, 95 % within {words.duration(usual.p95)}")
    return html.Span(parts)


def lines(saga: Saga) -> Component:
    if not saga.lines:
        return empty("No lines are known yet")
    columns: list[Column[Line]] = [
        Column("Product", lambda line: line.sku),
        Column("Quantity", lambda line: words.count(line.quantity), "number"),
        Column("Price", lambda line: words.money(line.unit_price, saga.currency), "number"),
        Column("Sum", lambda line: words.money(line.quantity * line.unit_price, saga.currency), "number"),
    ]
    total = html.P(["Total ", html.B(orders.total(saga))], className="lines-total")
    return html.Div([table("Lines of this order", columns, saga.lines), total])


def payment(found: Payment | None) -> Component:
    if found is None:
        return empty("The card has not been charged", "")
    rows: list[tuple[str, Content]] = [("State", payment_mark(found))]
    if found.amount is not None:
        rows.append(
            (
                "Charged",
                [
                    words.money(found.amount, found.currency),
                    ", ",
                    words.moment(found.captured_at or found.late_charge_at),
                ],
            )
        )
    if found.charge_id:
        rows.append(("Charge", whole(found.charge_id)))
    if found.declined_at:
        rows.append(("Declined", [words.moment(found.declined_at), f", {words.plainly(found.decline or '').lower()}"]))
    if found.refunded_at:
        rows.append(
            ("Given back", [words.money(found.refunded, found.currency), ", ", words.moment(found.refunded_at)])
        )
    if found.refund_id:
        rows.append(("Refund", whole(found.refund_id)))
    return pairs(*rows)


def payment_mark(found: Payment) -> Component:
    if found.state == "captured":
        return mark("Captured", "good", "card")
    if found.state == "declined":
        return mark("Declined", "bad", "cross")
    return (
        mark("Given back", "warn", "back") if found.state == "refunded" else mark("Charged too late", "warn", "warning")
    )
