"""The page of one failure group."""

from dash import dcc, html
from dash.development.base_component import Component

from projections.dashboard.addresses import address
from projections.dashboard.components.basic import skeleton
from projections.dashboard.pages import parked_rows
from projections.dashboard.shell import page_frame


def layout(service: str, failure: str) -> Component:
    return page_frame(
        "Failure group",
        html.Div(id="parked-problems"),
        html.Div(skeleton(220), id="parked-top"),
        parked_rows.messages_card(whole=True),
        *parked_rows.stores(f"{service} {failure}"),
        tools=dcc.Link("All parked messages", href=address("parked")),
    )
