"""All orders: search, filter and pages; an id in the address opens the page of that order."""

from datetime import datetime
from typing import Any
from uuid import UUID

import dash_mantine_components as dmc  # type: ignore[import-untyped]
from dash import Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component

from ordersaga.readside.short_ids import SHOWN, digits_of
from projections.dashboard import addresses
from projections.dashboard.addresses import parse_id
from projections.dashboard.components import order_grid, orders
from projections.dashboard.page import Page
from projections.dashboard.pages import order
from projections.dashboard.query import asked
from projections.dashboard.reading import Reader
from projections.dashboard.shell import TICK, page_frame
from projections.queries.sagas import Saga, SagaCursor, SagaFilter, UsualWait, Waiting
from projections.queries.search import AmbiguousId

PAGE_ROWS = 50


def layout(order_id: str) -> Component:
    if order_id:
        return order.layout(order_id)
    stores = html.Div([dcc.Store(id="orders-behind", data=[]), dcc.Store(id="orders-end")], hidden=True)
    return page_frame("Orders", filters(), order_grid.grid("orders-grid"), pager(), stores)


def filters() -> html.Div:
    return html.Div(
        [
            dmc.TextInput(
                id="orders-search",
                label="Search",
                placeholder="Order id, its last digits, or customer",
                debounce=400,
                w=300,
                value=asked("customer"),
            ),
            dmc.Select(
                id="orders-state",
                label="State",
                placeholder="Any",
                clearable=True,
                data=[{"value": name, "label": name.capitalize()} for name in ("placed", "confirmed", "cancelled")],
                w=150,
            ),
            dmc.Select(
                id="orders-waits",
                label="Waits for",
                placeholder="Anything or nothing",
                clearable=True,
                data=[{"value": name, "label": name.capitalize()} for name in orders.WAITS],
                w=200,
            ),
            dmc.Checkbox(id="orders-overdue", label="Overdue only", checked=bool(asked("overdue")), pb=8),
        ],
        className="toolbar",
    )


def pager() -> html.Div:
    return html.Div(
        [
            html.Span(id="orders-said", className="muted", role="status"),
            html.Span(className="top-space"),
            html.Button("Newer", id="orders-newer", className="plain-button"),
            html.Button("Older", id="orders-older", className="plain-button"),
        ],
        className="pager",
    )


def callbacks(app: Dash, reader: Reader) -> None:
    wanted = ("search", "value"), ("state", "value"), ("waits", "value"), ("overdue", "checked")
    order.callbacks(app, reader)

    @app.callback(
        Output("orders-behind", "data"),
        *(Input(f"orders-{name}", prop) for name, prop in wanted),
        Input("orders-older", "n_clicks"),
        Input("orders-newer", "n_clicks"),
        State("orders-behind", "data"),
        State("orders-end", "data"),
        prevent_initial_call=True,
    )
    def turn(*values: Any) -> list[dict[str, str]]:
        behind, end = values[-2:]
        return page_ends(str(ctx.triggered_id), behind, end)

    @app.callback(
        Output("orders-grid", "rowData"),
        Output("orders-end", "data"),
        Output("orders-said", "children"),
        Output("orders-newer", "disabled"),
        Output("orders-older", "disabled"),
        Input(TICK, "data"),
        Input("orders-behind", "data"),
        *(State(f"orders-{name}", prop) for name, prop in wanted),
    )
    def refresh(
        _: int, behind: list[dict[str, str]], search: str, state: Any, waits: Any, overdue: bool
    ) -> tuple[Any, ...]:
        chosen = SagaFilter(state=state, waits_for=waits, overdue=overdue or None, customer=customer(search))
        found, usual = reader.orders(chosen, PAGE_ROWS + 1, start_of(behind))
        return update(found, usual, len(behind))

    @app.callback(
        Output("url", "pathname", allow_duplicate=True), Input("orders-search", "value"), prevent_initial_call=True
    )
    def open_found(search: str) -> Any:
        """A name may have digits of an id in it, so fewer than pages show open nothing."""
        digits = digits_of(search or "")
        if not digits or len(digits) < SHOWN:
            return no_update
        try:
            found = reader.order_id(digits)
        except AmbiguousId:
            return no_update
        return addresses.order(found) if found else no_update


def page_ends(by: str, behind: list[dict[str, str]], end: dict[str, str] | None) -> list[dict[str, str]]:
    """The ends of the pages before the page to show; a changed filter starts at the first page."""
    if by == "orders-older" and end:
        return [*behind, end]
    return behind[:-1] if by == "orders-newer" else []


def start_of(behind: list[dict[str, str]]) -> SagaCursor | None:
    return SagaCursor(datetime.fromisoformat(behind[-1]["time"]), UUID(behind[-1]["order_id"])) if behind else None


def customer(search: str | None) -> str | None:
    return None if not search or not search.strip() or parse_id(search) else search.strip()


def update(found: list[Saga], usual: dict[Waiting, UsualWait], pages_before: int) -> tuple[Any, ...]:
    """`found` has one row more than the page where another page follows."""
    shown = found[:PAGE_ROWS]
    first = pages_before * PAGE_ROWS
    said = f"Orders {first + 1:,} to {first + len(shown):,}, newest first" if shown else "No orders"
    listed = [order_grid.row(saga, usual) for saga in shown]
    return listed, end_of(shown), said, not pages_before, len(found) <= PAGE_ROWS


def end_of(shown: list[Saga]) -> dict[str, str] | None:
    """The start of the next page."""
    last = shown[-1] if shown else None
    return {"time": last.placed_at.isoformat(), "order_id": str(last.order_id)} if last and last.placed_at else None


PAGE = Page("orders", "Orders", "orders", layout, callbacks)
