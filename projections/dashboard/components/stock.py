"""The table of products, and one product with the orders that hold it and what was received of it."""

from collections.abc import Sequence

from dash import dcc, html
from dash.development.base_component import Component

from ordersaga.readside.events import LoggedEvent
from projections.dashboard import addresses
from projections.dashboard.components import orders, words
from projections.dashboard.components.basic import card, empty, tile, tiles
from projections.dashboard.components.table import Column, table
from projections.queries.product import Holding, Product
from projections.queries.stock import Stock


def products(rows: Sequence[Stock]) -> Component:
    if not rows:
        return empty("No product", "No product has this SKU or a later one.", "search")
    columns: list[Column[Stock]] = [
        Column("SKU", lambda row: dcc.Link(row.sku, href=addresses.product(row.sku), className="mono")),
        Column("Name", lambda row: row.name or words.NOTHING, "wide-only"),
        Column("Price", lambda row: words.money(row.unit_price, row.currency), "number"),
        Column("Available", lambda row: words.count(row.available), "number"),
        Column("Reserved", lambda row: words.count(row.set_aside), "number"),
        Column("Shipped", lambda row: words.count(row.shipped - row.returned), "number"),
        Column("Received", lambda row: words.count(row.received), "number wide-only"),
    ]
    return table("Products by SKU", columns, rows)


def one(found: Product) -> Component:
    row = found.stock
    figures = tiles(
        tile("Available", words.count(row.available), note="can be ordered"),
        tile("Reserved", words.count(row.set_aside), note="held by orders under way"),
        tile("On hand", words.count(row.on_hand), note="available and reserved"),
        tile("Shipped", words.count(row.shipped), note=f"{words.count(row.returned)} of them returned"),
        tile("Received", words.count(row.received), note=row.name or "not on the price list"),
        tile("Price", words.money(row.unit_price, row.currency)),
    )
    grid = html.Div(
        [
            card("Orders that hold it", holdings(found.holdings), note="The longest waiting first", wide=7, flush=True),
            card("Received", received(found.received), note="The newest first", wide=5, flush=True),
        ],
        className="grid",
    )
    return html.Div([figures, grid], className="page")


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


def received(rows: Sequence[LoggedEvent]) -> Component:
    if not rows:
        return empty("Nothing was received")
    columns: list[Column[LoggedEvent]] = [
        Column("Quantity", lambda row: words.count(int(row.body["quantity"])), "number"),
        Column("By", lambda row: row.actor),
        Column("When", lambda row: dcc.Link(words.moment(row.time), href=addresses.message(row.message_id)), "number"),
    ]
    return table("Stock received", columns, rows)
