"""Several parked messages at once: the checkboxes, the buttons, and the answer for each message."""

from collections.abc import Sequence

import dash_mantine_components as dmc  # type: ignore[import-untyped]
from dash import dcc, html
from dash.development.base_component import Component

from ordersaga.http.parked_views import ParkedRow, ParkedView
from projections.dashboard.addresses import parked_message
from projections.dashboard.components import parked, parked_actions, words
from projections.dashboard.components.basic import Content, Tone, button, icon, skeleton
from projections.dashboard.triage import ActionAnswer

DONE = {"retry": "due now", "skip": "skipped", "hold": "put on hold", "release": "released"}
SUCCEEDED = parked_actions.OUTCOMES
"""An outcome that is none of these is that of a message on which nothing was done."""


def rows_region() -> Component:
    """The table; the group around it has the chosen messages, whatever is drawn again."""
    made: Component = dmc.CheckboxGroup(html.Div(skeleton(160), id="parked-rows"), id="parked-chosen", value=[])
    return made


def choices(*, whole: bool) -> Component:
    """What is chosen; `whole` offers the whole failure group."""
    one = dmc.Checkbox(id="parked-all", label="All on this page", size="xs", checked=False)
    all_ = dmc.Checkbox(id="parked-whole", label="The whole group", size="xs", checked=False)
    number = html.Span(id="parked-many", className="muted small", role="status")
    return html.Div([one, html.Span(all_, hidden=not whole), number], className="choices")


def form(*, may_act: bool) -> Component:
    def one(name: str, text: str, icon_name: str, look: str = "") -> Component:
        return button(text, {"id": f"parked-{name}"}, icon_name, allowed=may_act, why_not=parked.WHY_NOT, look=look)

    return html.Div(
        [
            parked_actions.reason_input("parked-reason", "One reason for all chosen messages"),
            html.Div(
                [
                    one("many-retry", "Retry", "play", "main-button"),
                    one("many-hold", "Hold", "pause"),
                    one("many-release", "Release", "back"),
                    html.Span(one("many-skip", "Skip", "cross", "danger-button"), className="parked-apart"),
                ],
                className="buttons",
            ),
            *([] if may_act else [html.P(parked.WHY_NOT, className="muted small")]),
        ],
        id="parked-form",
        className="parked-act choices-form",
    )


def said(chosen: int, whole: bool, messages: int) -> str:
    if whole:
        return f"All {words.counted(messages, 'message')} of the group are chosen"
    return f"{words.counted(chosen, 'message')} chosen" if chosen else "None is chosen"


def what_is_lost(service: str, first: ParkedView | None, number: int) -> str:
    """What skipping so many messages loses; `first` is one of them if all are of one service and reaction."""
    these = "this message" if number == 1 else f"these {words.count(number)} messages"
    lost = f"{these.capitalize()} never take{'s' if number == 1 else ''} effect"
    if first and first.reaction:
        lost = f"{words.service(service)} never runs {parked_actions.quoted(first.reaction)} for {these}"
    return f"{lost}; what waits behind goes on without. This cannot be undone."


def answers(found: Sequence[ActionAnswer], verb: str) -> Component:
    """How many succeeded, and a line with a link for each message."""
    refused = sum(each.outcome not in SUCCEEDED for each in found)
    text = f"{words.counted(len(found) - refused, 'message')} {DONE[verb]}"
    tone: Tone = "warn" if refused else "good"
    lines = html.Ul([html.Li(line(each)) for each in found], className="answers")
    whole = f"{text}, {refused} not." if refused else f"{text}."
    body: Content = [html.B(whole), lines]
    return parked_actions.answer(body, tone, "warning" if refused else "check")


def line(each: ActionAnswer) -> list[Component | str]:
    place = parked_message(each.place.service, each.place.refused_by, each.place.message_id)
    return [
        icon("check" if each.outcome in SUCCEEDED else "cross"),
        dcc.Link(words.short(each.place.message_id), href=place),
        html.Span(SUCCEEDED.get(each.outcome, each.detail)),
    ]


def values(rows: Sequence[tuple[str, ParkedRow]]) -> list[str]:
    """The places of a page's messages."""
    return [parked.value_of(service, row) for service, row in rows]
