"""What a search found: orders, messages, correlations, customers, products, charges and refunds."""

from dash import Dash, Input, Output, dcc, html
from dash.development.base_component import Component
from flask import Response, jsonify, request

from projections.dashboard.addresses import ROOT, address_of_hit
from projections.dashboard.components.basic import card, empty, icon, skeleton
from projections.dashboard.components.found import KINDS, SEARCHABLE
from projections.dashboard.components.table import Column, table
from projections.dashboard.page import Page
from projections.dashboard.query import asked
from projections.dashboard.reading import Reader
from projections.dashboard.shell import page_frame
from projections.queries.search import LIMIT, SearchHit

SUGGESTIONS = f"{ROOT}suggestions"
"""What assets/find.js asks for while a person types; `q` is the text."""
SUGGESTED = 5
"""Results of each kind in the list below the field."""


def layout(_: str) -> Component:
    return page_frame(
        "Search", html.Div(skeleton(200), id="search-found"), dcc.Store(id="search-text", data=asked("q"))
    )


def callbacks(app: Dash, reader: Reader) -> None:
    @app.callback(Output("search-found", "children"), Input("search-text", "data"))
    def find(text: str) -> Component:
        return update(text, reader.search(text, LIMIT) if text.strip() else [])

    @app.server.route(SUGGESTIONS)  # type: ignore[untyped-decorator]
    def suggest() -> Response:
        text = request.args.get("q", "")
        return jsonify([suggestion(hit) for hit in reader.search(text, SUGGESTED)] if text.strip() else [])


def suggestion(hit: SearchHit) -> dict[str, str]:
    """A line of the list below the field; assets/find.js writes it into the page as text."""
    name, icon_name = KINDS[hit.kind]
    return {"kind": name, "icon": icon_name, "id": hit.id, "text": hit.text, "href": address_of_hit(hit)}


def update(text: str, found: list[SearchHit]) -> Component:
    if not found:
        title = f"Nothing found for \N{LEFT DOUBLE QUOTATION MARK}{text}\N{RIGHT DOUBLE QUOTATION MARK}"
        return card("Results", empty(title if text.strip() else "Enter what you look for", SEARCHABLE, "search"))
    columns: list[Column[SearchHit]] = [
        Column("Kind", kind),
        Column("Id", lambda hit: dcc.Link(hit.id, href=address_of_hit(hit), className="mono")),
        Column("About", lambda hit: hit.text, "muted"),
    ]
    said = f"{len(found)} for {text.strip()}, at most {LIMIT} of each kind"
    return card("Results", table("Results of the search", columns, found), note=said, flush=True)


def kind(hit: SearchHit) -> html.Span:
    name, icon_name = KINDS[hit.kind]
    return html.Span([icon(icon_name), name], className="found-kind")


PAGE = Page("search", "Search", "search", layout, callbacks, in_navigation=False)
