"""The table of products, and one product with the orders that hold it and what happened to it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

from contracts.inventory import StockCorrected, StockReceived
from contracts.orders import ProductPriced, ProductRetired
from ordersaga.readside.events import LoggedEvent
from projections.dashboard import addresses
from projections.dashboard.components import orders, words
from projections.dashboard.components.basic import Content, card, empty, mark, notice, tile, tiles
from projections.dashboard.components.kinds import kind_mark
from projections.dashboard.components.table import Column, table
from projections.queries.product import Holding, Product
from projections.queries.stock import Stock


def products(rows: Sequence[Stock]) -> Component:
    if not rows:
        return empty("No product", "No product has this SKU or a later one.", "search")
    columns: list[Column[Stock]] = [
        Column("SKU", sku),
        Column("Name", lambda row: row.name or words.NOTHING, "wide-only"),
        Column("Price", lambda row: words.money(row.unit_price, row.currency), "number"),
        Column("Available", lambda row: words.count(row.available), "number"),
        Column("Reserved", lambda row: words.count(row.set_aside), "number"),
        Column("Shipped", lambda row: words.count(row.shipped - row.returned), "number"),
        Column("Received", lambda row: words.count(row.received), "number wide-only"),
        Column("Corrected", lambda row: words.signed(row.corrected), "number wide-only"),
    ]
    return table("Products by SKU", columns, rows)


def sku(row: Stock) -> Content:
    link = dcc.Link(row.sku, href=addresses.product(row.sku), className="mono")
    return html.Span([link, mark("Retired", "warn", "cross")], className="with-mark") if row.retired else link


def one(found: Product) -> Component:
    row = found.stock
    figures = tiles(
        tile("Available", words.count(row.available), note="no longer sold" if row.retired else "can be ordered"),
        tile("Reserved", words.count(row.set_aside), note="held by orders under way"),
        tile("On hand", words.count(row.on_hand), note="available and reserved"),
        tile("Shipped", words.count(row.shipped), note=f"{words.count(row.returned)} of them returned"),
        tile("Received", words.count(row.received), note=f"corrected by {words.signed(row.corrected)}"),
        tile("Price", words.money(row.unit_price, row.currency), note=row.name or "not on the price list"),
    )
    grid = html.Div(
        [
            card("Orders that hold it", holdings(found.holdings), note="The longest waiting first", wide=5, flush=True),
            card("History", history(found.history), note="The newest first", wide=7, flush=True),
        ],
        className="grid",
    )
    retired = notice("Retired: no later order can have it. PUT /products/<sku> lists it again.", "warn", "cross")
    return html.Div([retired, figures, grid] if row.retired else [figures, grid], className="page")


def holdings(rows: Sequence[Holding]) -> Component:
    if not rows:
        return empty("No order holds it", "What was reserved is shipped or released.", "check")
    columns: list[Column[Holding]] = [
        Column("Order", lambda row: dcc.Link(words.short(row.order_id), href=addresses.order(row.order_id))),
        Column("Quantity", lambda row: words.count(row.quantity), "number"),
        Column("Waits for", lambda row: words.plainly(orders.WAITS[row.waits_for])),
        Column("Reserved", lambda row: words.moment(row.reserved_at), "number"),
    ]
    return table("Orders that hold this product", columns, rows)


def history(rows: Sequence[LoggedEvent]) -> Component:
    if not rows:
        return empty("Nothing happened to it yet")
    columns: list[Column[LoggedEvent]] = [
        Column("What", lambda row: kind_mark(row.contract)),
        Column("Change", change, "wraps"),
        Column("By, when", by, "wraps"),
    ]
    return table("History of this product", columns, rows)


def by(event: LoggedEvent) -> Content:
    """Who and when, one below the other on a telephone."""
    return [
        html.Span(event.actor),
        " ",
        dcc.Link(words.moment(event.time), href=addresses.message(event.message_id)),
    ]


CHANGES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    StockReceived.NAME: lambda body: words.signed(body["quantity"]),
    StockCorrected.NAME: lambda body: f"{words.signed(body['quantity'])}: {body['reason']}",
    ProductPriced.NAME: lambda body: words.money(body["unit_price"], body["currency"]),
    ProductRetired.NAME: lambda body: str(body["reason"]),
}


def change(event: LoggedEvent) -> str:
    """What a message says of the product; nothing for a contract without an entry."""
    return CHANGES[event.contract](event.body) if event.contract in CHANGES else ""
