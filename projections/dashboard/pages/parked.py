"""Messages that a reaction or the broker refused: their failure groups, dry run, retry and skip."""

from collections.abc import Sequence
from typing import Any

from dash import Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component

from projections.dashboard.components import parked, words
from projections.dashboard.components.basic import card, skeleton
from projections.dashboard.page import Page
from projections.dashboard.pages import parked_group, parked_message
from projections.dashboard.reading import Reader
from projections.dashboard.services import MAX_ROWS, ParkedAt, Services
from projections.dashboard.shell import SLOW, page_frame
from projections.dashboard.viewer import Viewer, viewer

INTRO = (
    "A message that a reaction or the broker refuses blocks the later messages of its key and no others. Read the "
    "failure, fix its cause, dry-run the message, then retry it. Every action is recorded with its actor and reason."
)
PRESSED = ("filter", "group", "chosen", "act")
"""Stores of the value that was pressed last; see assets/press.js."""


def layout(_: str) -> Component:
    return page_frame(
        "Parked messages",
        html.Div(id="parked-problems"),
        html.Div(id="parked-done", role="status"),
        card("Failures", html.Div(skeleton(120), id="parked-failures"), flush=True),
        card("Messages", html.Div(skeleton(160), id="parked-rows"), aside=html.Span(id="parked-shown"), flush=True),
        *(dcc.Store(id=f"parked-{name}") for name in (*PRESSED, "failure")),
        dcc.Store(id="parked-changes", data=0),
        parked_message.drawer(),
        parked_group.dialog(),
        intro=INTRO,
    )


def callbacks(app: Dash, reader: Reader) -> None:
    services = reader.services
    browse(app, services)
    parked_message.callbacks(app, services)
    parked_group.callbacks(app, services)


def browse(app: Dash, services: Services) -> None:
    @app.callback(
        [Output(f"parked-{name}", "children") for name in ("problems", "failures", "rows", "shown")],
        Input(SLOW, "data"),
        Input("parked-failure", "data"),
        Input("parked-changes", "data"),
    )
    def refresh(_: int, failure: str | None, _changes: int) -> list[Any]:
        service, wanted = (failure or " ").split(" ")
        only = {"failure": wanted} if wanted else {}
        return update(services.parked(viewer().token, **only), viewer(), service)

    @app.callback(
        Output("parked-failure", "data"),
        Input("parked-filter", "data"),
        State("parked-failure", "data"),
        prevent_initial_call=True,
    )
    def choose_failure(pressed: str, chosen: str | None) -> str | None:
        return None if pressed == chosen else pressed


def update(found: Sequence[ParkedAt], person: Viewer, only: str) -> list[Any]:
    """The services' problems, the failures, the messages, and the number of messages."""
    known = [(each.service, each.found) for each in found if each.found]
    failures = [(service, failure) for service, listed in known for failure in listed.failures]
    rows = [(service, row) for service, listed in known for row in listed.messages if only in ("", service)]
    more = len(rows) > MAX_ROWS or any(listed.next for _, listed in known)
    shown = rows[:MAX_ROWS]
    said = f"{words.counted(len(shown), 'message')}{' and more' if more else ''}{' of one failure' if only else ''}"
    return [
        parked.problems(found),
        parked.failures_table(failures, person.may_act) if failures else parked.no_messages(any_known=bool(known)),
        parked.rows_table(shown) if shown else html.P("None.", className="muted card-text"),
        said,
    ]


PAGE = Page("parked", "Parked", "parked", layout, callbacks)
