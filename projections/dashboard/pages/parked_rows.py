"""The messages of all services, or of one failure group a page at a time, and what is said above them."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from dash import Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component

from projections.dashboard.components import parked, parked_actions, parked_choice, parked_group, words
from projections.dashboard.components.basic import card
from projections.dashboard.components.parked import RowOf
from projections.dashboard.services import MAX_ROWS, ParkedAt, Services
from projections.dashboard.shell import SLOW
from projections.dashboard.viewer import viewer


def messages_card(*, whole: bool) -> Component:
    """The table, in pages where `whole` says that it is that of a failure group."""
    pager = html.Div(
        [
            html.Span(className="top-space"),
            html.Button("Earlier", id="parked-earlier", className="plain-button"),
            html.Button("Later", id="parked-later", className="plain-button"),
        ],
        className="pager card-text",
        hidden=not whole,
    )
    acting = [
        html.Div(
            [parked_choice.choices(whole=whole), parked_choice.form(may_act=viewer().may_act)], className="choosing"
        ),
        html.Div(parked_actions.result_region("parked-result"), className="card-text"),
    ]
    shown = html.Span(id="parked-shown")
    body = [
        *acting,
        parked_choice.rows_region(),
        pager,
        parked_actions.skip_dialog("parked", "parked-skip-many-go", several=True),
    ]
    return card("Messages", body, aside=shown, flush=True)


def stores(scope: str) -> list[Component]:
    """`scope` is `service failure`, or empty for all services."""
    empty = ("drawn", "page", "end", "messages")
    return [
        dcc.Store(id="parked-scope", data=scope),
        dcc.Store(id="parked-changes", data=0),
        dcc.Store(id="parked-behind", data=[]),
        *(dcc.Store(id=f"parked-{name}") for name in empty),
    ]


def callbacks(app: Dash, services: Services) -> None:
    @app.callback(
        [Output(f"parked-{name}", "children") for name in ("problems", "top", "rows", "shown")],
        [Output(f"parked-{name}", "data") for name in ("page", "end", "drawn", "messages")],
        Output("parked-earlier", "disabled"),
        Output("parked-later", "disabled"),
        Input(SLOW, "data"),
        Input("parked-changes", "data"),
        Input("parked-behind", "data"),
        State("parked-scope", "data"),
        State("parked-drawn", "data"),
    )
    def refresh(_: int, _changes: int, behind: list[str], scope: str, drawn: str | None) -> tuple[Any, ...]:
        if not scope:
            return (*update(services.parked(viewer().token), drawn), True, True)
        service, failure = scope.split(" ")
        after = {"after": behind[-1]} if behind else {}
        found = services.parked_at(service, viewer().token, failure=failure, **after)
        end = found.found.next if found.found else None
        return (*update([found], drawn, failure), not behind, end is None)

    @app.callback(
        Output("parked-behind", "data"),
        Input("parked-earlier", "n_clicks"),
        Input("parked-later", "n_clicks"),
        State("parked-behind", "data"),
        State("parked-end", "data"),
        prevent_initial_call=True,
    )
    def turn(_: Any, _later: Any, behind: list[str], end: str | None) -> list[str]:
        if ctx.triggered_id == "parked-earlier":
            return behind[:-1]
        return [*behind, end] if end else behind


def update(found: Sequence[ParkedAt], drawn: str | None, only: str = "") -> tuple[Any, ...]:
    """Problems, failures, messages and their number as content; then what the stores have.

    Args:
        found: the answers of the services.
        drawn: the digest of the table that is drawn; the same one is not drawn again.
        only: the failure group of which these are the messages; empty is all.
    """
    known = [(each.service, each.found) for each in found if each.found]
    groups = [(service, group) for service, listed in known for group in listed.failures if only in ("", group.failure)]
    rows = [(service, row) for service, listed in known for row in listed.messages]
    shown = rows[:MAX_ROWS]
    more = len(rows) > MAX_ROWS or any(listed.next for _, listed in known)
    page = parked_choice.values(shown)
    now = digest(shown, is_known=bool(known))
    return (
        parked.problems(found),
        parked_group.facts(*groups[0]) if only and groups else parked.failures(groups, only, is_known=bool(known)),
        no_update if now == drawn else table(shown),
        f"{words.counted(len(shown), 'message')}{' and more' if more else ''}",
        page,
        next((listed.next for _, listed in known if listed.next), None),
        now,
        sum(group.messages for _, group in groups),
    )


def digest(shown: Sequence[RowOf], *, is_known: bool) -> str:
    """Changes when a row does."""
    text = f"{is_known} {[(service, row.model_dump_json()) for service, row in shown]}"
    return sha256(text.encode()).hexdigest()


def table(shown: list[RowOf]) -> Component:
    return parked.rows_table(shown, choose=True) if shown else html.P("None.", className="muted card-text")
