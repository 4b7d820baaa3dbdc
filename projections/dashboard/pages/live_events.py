"""The stream of messages, newest first."""

from typing import Any, TypedDict

import dash_mantine_components as dmc  # type: ignore[import-untyped]
from dash import Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from contracts import CONTRACTS
from ordersaga.readside.events import EventFilter, LoggedEvent
from projections.dashboard import addresses
from projections.dashboard.addresses import address
from projections.dashboard.components.basic import aria, empty, icon, skeleton
from projections.dashboard.components.event import event_detail, is_of_order
from projections.dashboard.components.found import ambiguous
from projections.dashboard.components.kinds import kind_of
from projections.dashboard.page import Page, in_browser
from projections.dashboard.reading import Reader
from projections.dashboard.shell import TICK, page_frame
from projections.queries.search import AmbiguousId

FIRST_ROWS = 100
MAX_NEW = 300
"""Rows that the browser keeps; older ones are removed."""


class News(TypedDict):
    """Sent to the browser: rows to put on top, or all rows after a change of filter."""

    reset: bool
    rows: list[dict[str, Any]]


class Known(TypedDict):
    """The state of the browser: the filter of its rows, and their newest position."""

    wanted: list[str | None]
    position: int


def layout(message_id: str) -> Component:
    contracts = [{"value": name, "label": kind_of(name).text} for name in CONTRACTS]
    tools = [
        dmc.Select(
            id="events-contract",
            data=contracts,
            placeholder="Every kind",
            clearable=True,
            searchable=True,
            **aria(label="Kind"),
        ),
        dmc.TextInput(id="events-key", placeholder="Order id or SKU", debounce=400, **aria(label="Order id or SKU")),
        html.Button(
            [icon("pause"), "Pause"], id="events-pause", className="plain-button with-icon", **aria(pressed="false")
        ),
    ]
    return page_frame(
        "Live events",
        html.Section(
            [
                html.Div(
                    [html.Span(name) for name in ("Kind", "Key", "Actor", "Time", "Delay")],
                    className="event-row event-head",
                    **aria(hidden="true"),
                ),
                html.Ol(id="events-list", className="event-list", **aria(label="Events, newest first")),
                html.Div([skeleton(34) for _ in range(12)], id="events-none", className="event-none"),
            ],
            className="card",
        ),
        dcc.Store(id="events-news"),
        dcc.Store(id="events-known"),
        dcc.Store(id="events-paused", data=False),
        dcc.Store(id="events-opened", data=message_id or None),
        dmc.Drawer(
            id="events-drawer",
            position="right",
            size="lg",
            title="Event",
            keepMounted=False,
            closeButtonProps={"aria-label": "Close"},
        ),
        tools=tools,
    )


def callbacks(app: Dash, reader: Reader) -> None:
    in_browser(app, "events", "show", Output("events-none", "className"), Input("events-news", "data"))
    in_browser(app, "events", "pause", Output("events-paused", "data"), Input("events-pause", "n_clicks"))

    @app.callback(
        Output("events-news", "data"),
        Output("events-known", "data"),
        Output("events-none", "children"),
        Input(TICK, "data"),
        Input("events-contract", "value"),
        Input("events-key", "value"),
        Input("events-paused", "data"),
        State("events-known", "data"),
    )
    def follow(
        _: int, contract: str | None, key: str | None, paused: bool, before: Known | None
    ) -> tuple[Any, Any, Any]:
        wanted = EventFilter(contract=contract or None, key=(key or "").strip() or None)
        known = before["position"] if before and before["wanted"] == [wanted.contract, wanted.key] else None
        if known is not None and paused:
            return no_update, no_update, no_update
        found = reader.events(wanted, known, FIRST_ROWS)
        if known is not None and not found:
            return no_update, no_update, no_update
        latest = found[0].position if found else 0
        now: Known = {"wanted": [wanted.contract, wanted.key], "position": latest}
        return update(found, known is None), now, no_events(wanted)

    @app.callback(
        Output("events-drawer", "opened"), Output("events-drawer", "children"), Input("events-opened", "data")
    )
    def open_event(message_id: str | None) -> tuple[bool, Component | None]:
        if not message_id:
            return False, None
        try:
            event = reader.event(message_id)
        except AmbiguousId as several:
            return True, ambiguous(several, addresses.message)
        return True, event_detail(event) if event else empty("Event not found", "It may not have arrived yet.")


def update(rows: list[LoggedEvent], reset: bool) -> News:
    """`rows` are newest first; with `reset` they replace the rows of the browser."""
    return {"reset": reset, "rows": [row(event) for event in rows]}


def row(event: LoggedEvent) -> dict[str, Any]:
    """The row of an event; assets/events.js writes it into the page as text."""
    kind = kind_of(event.contract)
    return {
        "position": event.position,
        "id": str(event.message_id),
        "kind": kind.text,
        "tone": kind.tone,
        "icon": kind.icon,
        "key": event.key,
        "order": address(f"orders/{event.key}") if is_of_order(event) else None,
        "actor": event.actor,
        "time": event.time.isoformat(),
        "delay": round((event.received_at - event.time).total_seconds() * 1000),
    }


def no_events(wanted: EventFilter) -> Component:
    if wanted.contract or wanted.key:
        return empty("No event matches", "Matching events appear here as they arrive.", "search")
    return empty("No events yet", "They appear here as they arrive; ./ordersaga up --traffic 5 makes some.", "events")


PAGE = Page("events", "Live events", "events", layout, callbacks)
