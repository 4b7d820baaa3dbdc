"""What can be searched for, and how each kind of result is shown."""

from collections.abc import Callable

import dash_mantine_components as dmc  # type: ignore[import-untyped]
from dash import dcc, html
from dash.development.base_component import Component

from projections.dashboard.addresses import address
from projections.dashboard.components.basic import aria, icon
from projections.queries.search import AmbiguousId, Kind

KINDS: dict[Kind, tuple[str, str]] = {
    "order": ("Order", "cart"),
    "message": ("Message", "events"),
    "correlation": ("Correlation", "audit"),
    "customer": ("Customer", "person"),
    "product": ("Product", "box"),
    "charge": ("Charge", "card"),
    "refund": ("Refund", "back"),
}
SEARCHABLE = (
    "A search finds an order by its id, or by the first or last digits of it (four at least); a message and a "
    "correlation by the id or its first digits; a customer, a SKU, a charge and a refund by the whole name."
)


def ambiguous(error: AmbiguousId, address_of: Callable[[object], str]) -> Component:
    """The candidates of digits that fit several ids, each a link."""
    links = [html.Li(dcc.Link(str(id_), href=address_of(id_), className="mono")) for id_ in error.candidates]
    return html.Div(
        [icon("search"), html.B("Several ids have these digits"), html.Ul(links), html.P("Choose one of them.")],
        className="state",
    )


def search_box() -> html.Form:
    """The field in the header. Without scripts it opens the page of results; assets/find.js adds the list below it."""
    return html.Form(
        [
            dmc.TextInput(
                id="find",
                name="q",
                placeholder="Search",
                leftSection=icon("search"),
                rightSection=html.Kbd("Ctrl K", className="find-key"),
                rightSectionWidth=58,
                autoComplete="off",
                size="sm",
                **aria(label="Search for an order, message, customer, SKU, charge or refund"),
            ),
            html.Div(id="find-list", className="find-list", hidden=True),
        ],
        action=address("search"),
        method="get",
        role="search",
        className="find",
    )
