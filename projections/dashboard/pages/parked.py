"""Messages that a reaction or the broker refused: their failures; a group and a message have pages of their own."""

from dash import Dash, dcc, html
from dash.development.base_component import Component

from ordersaga.parked.refused_by import REFUSED_BY
from projections.dashboard.addresses import address, parse_id
from projections.dashboard.components.basic import card, empty, skeleton
from projections.dashboard.page import Page
from projections.dashboard.pages import parked_group, parked_many, parked_message, parked_rows
from projections.dashboard.reading import Reader
from projections.dashboard.shell import page_frame

INTRO = (
    "A message that a reaction or the broker refuses blocks the later messages of its key and no others. Read the "
    "failure, fix its cause, dry-run the message, then retry it. Every action is recorded with its actor and reason."
)


def layout(rest: str) -> Component:
    match rest.split("/"):
        case [""]:
            return list_layout()
        case [service, failure]:
            return parked_group.layout(service, failure)
        case [service, refused_by, text] if refused_by in REFUSED_BY and (message_id := parse_id(text)):
            return parked_message.layout(service, refused_by, message_id)
    return page_frame(
        "Parked messages",
        empty("Message not found", f"{rest} is not the address of a parked message.", "search"),
        tools=dcc.Link("All parked messages", href=address("parked")),
    )


def list_layout() -> Component:
    return page_frame(
        "Parked messages",
        html.Div(id="parked-problems"),
        card("Failures", html.Div(skeleton(120), id="parked-top"), flush=True),
        parked_rows.messages_card(whole=False),
        *parked_rows.stores(""),
        intro=INTRO,
    )


def callbacks(app: Dash, reader: Reader) -> None:
    parked_message.callbacks(app, reader)
    parked_group.callbacks(app, reader.services)
    parked_rows.callbacks(app, reader.services)
    parked_many.callbacks(app, reader.services)


PAGE = Page("parked", "Parked", "parked", layout, callbacks)
