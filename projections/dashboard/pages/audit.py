"""The audit trail, the causes and effects of a message, and the verification of history."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import dash_mantine_components as dmc  # type: ignore[import-untyped]
from dash import Dash, Input, Output, State, ctx, dcc, html
from dash.development.base_component import Component

from projections.audit.sources import SourceUnavailable, incomplete_notice
from projections.audit.trail import TrailCursor, TrailEntry, TrailFilter
from projections.dashboard import addresses
from projections.dashboard.addresses import address
from projections.dashboard.components import audit
from projections.dashboard.components.basic import card, empty, failed, mark, skeleton
from projections.dashboard.components.found import ambiguous
from projections.dashboard.components.pager import End, pager, said, turned
from projections.dashboard.page import Page
from projections.dashboard.query import asked
from projections.dashboard.reading import Reader
from projections.dashboard.shell import SLOW, page_frame
from projections.queries.search import AmbiguousId

PAGE_ROWS = 50
SPANS = {"15 minutes": 900, "Hour": 3600, "Day": 86400, "Week": 604800, "Everything": 0}
"""Seconds before now; 0 is no limit."""
FIELDS = (("order", "value"), ("actor", "value"), ("correlation", "value"), ("type", "value"), ("span", "value"))


def layout(message_id: str) -> Component:
    return why_layout(message_id) if message_id else trail_layout()


def trail_layout() -> Component:
    return page_frame(
        "Audit",
        card(
            "Proof",
            html.Div(skeleton(150), id="audit-stores"),
            note="Every event is in a hash chain and a signed log outside the databases",
            aside=html.Span(id="audit-badge"),
            flush=True,
        ),
        filters(),
        card("Trail", html.Div(skeleton(400), id="audit-trail"), note="Newest first", flush=True),
        pager("audit", "Newer", "Older"),
    )


def filters() -> html.Div:
    """A value in the address comes first; without one a filter keeps what it had in this browser tab."""
    span = "Everything" if asked("order") or asked("correlation") else "15 minutes"
    kept: dict[str, Any] = {"persistence": True, "persistence_type": "session"}
    return html.Div(
        [
            text_filter("order", "Order or SKU", "Id, its last digits, or SKU", 250),
            text_filter("actor", "Actor", "Customer or operator", 170),
            text_filter("correlation", "Correlation", "Whole id", 250),
            dmc.Select(
                id="audit-type",
                label="What",
                data=audit.TYPES,
                placeholder="Anything",
                clearable=True,
                w=190,
                **kept,
            ),
            dmc.Select(
                id="audit-span", label="Time span", data=list(SPANS), value=span, allowDeselect=False, w=130, **kept
            ),
        ],
        className="toolbar",
    )


def text_filter(name: str, label: str, placeholder: str, width: int) -> dmc.TextInput:
    return dmc.TextInput(
        id=f"audit-{name}",
        label=label,
        placeholder=placeholder,
        debounce=400,
        w=width,
        value=asked(name),
        persistence=True,
        persistence_type="session",
    )


def why_layout(message_id: str) -> Component:
    return page_frame(
        "Causes and effects",
        card("From the first cause to the last effect", html.Div(skeleton(300), id="audit-why")),
        dcc.Store(id="audit-message", data=message_id),
        tools=dcc.Link("Audit trail", href=address("audit")),
    )


def callbacks(app: Dash, reader: Reader) -> None:
    watch_proof(app, reader)
    trail(app, reader)
    reasons(app, reader)


def watch_proof(app: Dash, reader: Reader) -> None:
    @app.callback(Output("audit-stores", "children"), Output("audit-badge", "children"), Input(SLOW, "data"))
    def verified(_: int) -> tuple[Component, Component]:
        return proof(reader)


def trail(app: Dash, reader: Reader) -> None:
    @app.callback(
        Output("audit-behind", "data"),
        *(Input(f"audit-{name}", prop) for name, prop in FIELDS),
        Input("audit-on", "n_clicks"),
        Input("audit-back", "n_clicks"),
        State("audit-behind", "data"),
        State("audit-end", "data"),
        prevent_initial_call=True,
    )
    def turn(*values: Any) -> list[End]:
        behind, end = values[-2:]
        return turned(ctx.triggered_id, "audit", behind, end)

    @app.callback(
        Output("audit-trail", "children"),
        Output("audit-said", "children"),
        Output("audit-end", "data"),
        Output("audit-back", "disabled"),
        Output("audit-on", "disabled"),
        Input("audit-behind", "data"),
        *(State(f"audit-{name}", prop) for name, prop in FIELDS),
    )
    def ask(behind: list[list[str]], *fields: str | None) -> tuple[Any, ...]:
        try:
            wanted = asked_for(*fields)
        except ValueError:
            problem = empty("Not a correlation id", "Enter the whole id; an event or an order shows it.", "warning")
            return problem, "", None, True, True
        ended = TrailCursor(datetime.fromisoformat(behind[-1][0]), behind[-1][1]) if behind else None
        return update(*reader.trail(wanted, ended, PAGE_ROWS + 1), len(behind))


def reasons(app: Dash, reader: Reader) -> None:
    @app.callback(Output("audit-why", "children"), Input("audit-message", "data"))
    def explain(message_id: str) -> Component:
        try:
            first = reader.why(message_id)
        except AmbiguousId as several:
            return ambiguous(several, addresses.why)
        return audit.tree(first) if first else empty("Message not found", message_id, "search")


def proof(reader: Reader) -> tuple[Component, Component]:
    """The table of stores, and the badge."""
    try:
        stores = reader.verification()
    except SourceUnavailable as missing:
        return failed("The verification is unknown", str(missing)), mark("Unknown", "warn", "warning")
    return audit.stores_table(stores), audit.badge(stores)


def asked_for(
    order: str | None, actor: str | None, correlation: str | None, kind: str | None, span: str | None
) -> TrailFilter:
    """Raises ValueError where the correlation is no UUID."""
    seconds = SPANS.get(span or "", 0)
    return TrailFilter(
        order=(order or "").strip() or None,
        actor=(actor or "").strip() or None,
        correlation=UUID(correlation.strip()) if correlation and correlation.strip() else None,
        type=kind or None,
        since=datetime.now(UTC) - timedelta(seconds=seconds) if seconds else None,
    )


def update(found: list[TrailEntry], missing: list[str], pages_before: int) -> tuple[Any, ...]:
    """`found` has one entry more than the page where another page follows."""
    shown = found[:PAGE_ROWS]
    text = said("Entries", len(shown), pages_before, PAGE_ROWS, "newest first")
    end = [shown[-1].time.isoformat(), shown[-1].id] if shown else None
    trail = [mark(incomplete_notice(missing), "warn", "warning")] if missing else []
    return [*trail, audit.trail_table(shown)], text, end, not pages_before, len(found) <= PAGE_ROWS


PAGE = Page("audit", "Audit", "audit", layout, callbacks)
