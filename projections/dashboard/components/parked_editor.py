"""The editor of a parked message's body: the text, its problems by field, and the difference before it is confirmed."""

from collections.abc import Sequence

import dash_mantine_components as dmc  # type: ignore[import-untyped]
from dash import dcc, html
from dash.development.base_component import Component

from projections.dashboard.bodies import FieldProblem
from projections.dashboard.components import parked
from projections.dashboard.components.basic import button, card, empty, icon
from projections.dashboard.components.diff import diff

CHECK_MILLISECONDS = 400
"""After the last key."""


def editor(*, may_act: bool) -> Component:
    """Hidden until it is asked for."""
    text = dmc.Textarea(
        id="message-text",
        label="New body",
        description="JSON that satisfies the contract, with the same key. The original body is kept.",
        autosize=True,
        minRows=8,
        maxRows=24,
        debounce=CHECK_MILLISECONDS,
        spellCheck=False,
        classNames={"input": "mono"},
    )
    go = button(
        "Replace the body and retry",
        {"id": "message-edit-go"},
        "play",
        allowed=False,
        look="main-button",
        why_not="" if may_act else parked.WHY_NOT,
    )
    shut = html.Button("Cancel", id="message-edit-cancel", className="plain-button")
    return html.Div(
        [
            card(
                "Edit and retry",
                [
                    html.Div([text, html.Div(id="message-text-problems", role="status")], className="editor"),
                    html.Div(id="message-diff"),
                    html.Div([go, shut, html.Span(SAME_REASON, className="muted small")], className="buttons"),
                ],
            ),
            dcc.Store(id="message-checked"),
        ],
        id="message-editor",
        hidden=True,
        className="w12",
    )


SAME_REASON = "The reason is the one above."


def problems_list(found: Sequence[FieldProblem]) -> Component:
    """Beside the text; each line begins with its field."""
    if not found:
        return html.P([icon("check"), "It satisfies the contract."], className="editor-good")
    lines = [html.Li([html.B(each.field, className="mono"), html.Span(each.text)]) for each in found]
    return html.Div([html.H3("To be mended"), html.Ul(lines)], className="editor-bad")


def difference(before: str, after: str) -> Component:
    return diff(before, after) if before != after else empty("No change yet", "The difference appears here.")
