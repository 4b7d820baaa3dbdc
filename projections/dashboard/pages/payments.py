"""All payments by state, in pages; the address of one shows it beside its order."""

from datetime import datetime
from typing import Any
from uuid import UUID

import dash_mantine_components as dmc  # type: ignore[import-untyped]
from dash import Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component

from ordersaga.readside.short_ids import digits_of, short
from projections.dashboard import addresses
from projections.dashboard.components import payment_list
from projections.dashboard.components.basic import card, empty, skeleton
from projections.dashboard.components.found import ambiguous
from projections.dashboard.components.pager import End, pager, said, turned
from projections.dashboard.components.payment import MARKS, payment
from projections.dashboard.components.unchanged import fingerprint
from projections.dashboard.page import Page
from projections.dashboard.reading import Reader
from projections.dashboard.shell import TICK, page_frame
from projections.queries.payments import PaymentCursor, PaymentRow
from projections.queries.payments import State as PaymentState
from projections.queries.search import AmbiguousId

PAGE_ROWS = 50


def layout(order_id: str) -> Component:
    if order_id:
        return one_layout(order_id)
    states = [{"value": state, "label": text} for state, (text, _, _) in MARKS.items()]
    return page_frame(
        "Payments",
        html.Div(
            dmc.Select(id="payments-state", label="State", placeholder="Any", clearable=True, data=states, w=240),
            className="toolbar",
        ),
        card("Payments", html.Div(skeleton(400), id="payments-rows"), note="The last changed first", flush=True),
        pager("payments", "Newer", "Older"),
    )


def one_layout(order_id: str) -> Component:
    if not digits_of(order_id):
        return page_frame("Payment", unknown(order_id))
    return page_frame(
        f"Payment of order {short(order_id)}",
        html.Div(skeleton(200), id="payment-one"),
        dcc.Store(id="payment-order", data=order_id),
        dcc.Store(id="payment-shown"),
        tools=dcc.Link("All payments", href=addresses.address("payments")),
    )


def callbacks(app: Dash, reader: Reader) -> None:
    @app.callback(
        Output("payments-behind", "data"),
        Input("payments-state", "value"),
        Input("payments-on", "n_clicks"),
        Input("payments-back", "n_clicks"),
        State("payments-behind", "data"),
        State("payments-end", "data"),
        prevent_initial_call=True,
    )
    def turn(_: Any, __: Any, ___: Any, behind: list[End], end: End | None) -> list[End]:
        return turned(ctx.triggered_id, "payments", behind, end)

    @app.callback(
        Output("payments-rows", "children"),
        Output("payments-end", "data"),
        Output("payments-said", "children"),
        Output("payments-back", "disabled"),
        Output("payments-on", "disabled"),
        Output("payments-shown", "data"),
        Input(TICK, "data"),
        Input("payments-behind", "data"),
        State("payments-state", "value"),
        State("payments-shown", "data"),
    )
    def refresh(_: int, behind: list[End], state: PaymentState | None, shown: int | None) -> tuple[Any, ...]:
        found = reader.payments(state, PAGE_ROWS + 1, start_of(behind))
        now = fingerprint(found, behind)
        return (no_update,) * 6 if now == shown else (*update(found, len(behind)), now)

    @app.callback(
        Output("payment-one", "children"),
        Output("payment-shown", "data"),
        Input(TICK, "data"),
        State("payment-order", "data"),
        State("payment-shown", "data"),
    )
    def show(_: int, order_id: str, shown: int | None) -> tuple[Any, Any]:
        try:
            found = reader.payment(order_id)
        except AmbiguousId as several:
            return ambiguous(several, addresses.payment), None
        now = fingerprint(found)
        return (no_update, no_update) if now == shown else (one(found) if found else unknown(order_id), now)


def start_of(behind: list[End]) -> PaymentCursor | None:
    return PaymentCursor(datetime.fromisoformat(behind[-1][0]), UUID(behind[-1][1])) if behind else None


def update(found: list[PaymentRow], pages_before: int) -> tuple[Any, ...]:
    """`found` has one row more than the page where another page follows."""
    shown = found[:PAGE_ROWS]
    end = [shown[-1].last_at.isoformat(), str(shown[-1].order_id)] if shown else None
    text = said("Payments", len(shown), pages_before, PAGE_ROWS, "the last changed first")
    return payment_list.payments(shown), end, text, not pages_before, len(found) <= PAGE_ROWS


def one(found: PaymentRow) -> Component:
    order = dcc.Link("Order with its steps and messages", href=addresses.order(found.order_id))
    return card("Payment", [payment(found), html.P(order, className="card-more")])


def unknown(order_id: str) -> Component:
    return empty("Payment not found", f"{order_id}: its card was neither charged nor declined.", "search")


PAGE = Page("payments", "Payments", "card", layout, callbacks)
