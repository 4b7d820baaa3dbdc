"""Products with price and stock, in pages; the address of one shows the orders that hold it and its history."""

from typing import Any
from urllib.parse import unquote

import dash_mantine_components as dmc  # type: ignore[import-untyped]
from dash import Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component

from projections.dashboard import addresses
from projections.dashboard.components import stock
from projections.dashboard.components.basic import card, empty, skeleton
from projections.dashboard.components.pager import End, pager, said, turned
from projections.dashboard.components.unchanged import fingerprint
from projections.dashboard.page import Page
from projections.dashboard.reading import Reader
from projections.dashboard.shell import TICK, page_frame
from projections.queries.stock import Stock

PAGE_ROWS = 50


def layout(sku: str) -> Component:
    if sku:
        return one_layout(unquote(sku))
    return page_frame(
        "Stock",
        html.Div(
            dmc.TextInput(id="stock-first", label="SKU from", placeholder="SKU or its beginning", debounce=400, w=260),
            className="toolbar",
        ),
        card("Products", html.Div(skeleton(400), id="stock-rows"), note="By SKU", flush=True),
        pager("stock", "Previous", "Next"),
    )


def one_layout(sku: str) -> Component:
    return page_frame(
        sku,
        html.Div(skeleton(400), id="stock-one"),
        dcc.Store(id="stock-sku", data=sku),
        dcc.Store(id="stock-one-shown"),
        tools=dcc.Link("All products", href=addresses.address("stock")),
    )


def callbacks(app: Dash, reader: Reader) -> None:
    @app.callback(
        Output("stock-behind", "data"),
        Input("stock-first", "value"),
        Input("stock-on", "n_clicks"),
        Input("stock-back", "n_clicks"),
        State("stock-behind", "data"),
        State("stock-end", "data"),
        prevent_initial_call=True,
    )
    def turn(_: Any, __: Any, ___: Any, behind: list[End], end: End | None) -> list[End]:
        return turned(ctx.triggered_id, "stock", behind, end)

    @app.callback(
        Output("stock-rows", "children"),
        Output("stock-end", "data"),
        Output("stock-said", "children"),
        Output("stock-back", "disabled"),
        Output("stock-on", "disabled"),
        Output("stock-shown", "data"),
        Input(TICK, "data"),
        Input("stock-behind", "data"),
        State("stock-first", "value"),
        State("stock-shown", "data"),
    )
    def refresh(_: int, behind: list[End], first: str | None, shown: int | None) -> tuple[Any, ...]:
        start = (first or "").strip() or None
        found = reader.products(PAGE_ROWS + 1, behind[-1][0] if behind else None, start)
        now = fingerprint(found, behind)
        return (no_update,) * 6 if now == shown else (*update(found, len(behind)), now)

    @app.callback(
        Output("stock-one", "children"),
        Output("stock-one-shown", "data"),
        Input(TICK, "data"),
        State("stock-sku", "data"),
        State("stock-one-shown", "data"),
    )
    def show(_: int, sku: str, shown: int | None) -> tuple[Any, Any]:
        found = reader.product(sku)
        now = fingerprint(found)
        return (no_update, no_update) if now == shown else (stock.one(found) if found else unknown(sku), now)


def unknown(sku: str) -> Component:
    return empty("Product not found", f"No product has the SKU {sku}.", "search")


def update(found: list[Stock], pages_before: int) -> tuple[Any, ...]:
    """`found` has one row more than the page where another page follows."""
    shown = found[:PAGE_ROWS]
    end = [shown[-1].sku] if shown else None
    text = said("Products", len(shown), pages_before, PAGE_ROWS, "by SKU")
    return stock.products(shown), end, text, not pages_before, len(found) <= PAGE_ROWS


PAGE = Page("stock", "Stock", "box", layout, callbacks)
