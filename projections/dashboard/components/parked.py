"""Parked messages: failures, rows, one in full, and what an attempt would do."""

import json
from collections.abc import Sequence
from typing import Any

from dash import html
from dash.development.base_component import Component

from messaging.receiving.inspection import FailureGroup
from messaging.web.parked_views import ActionView, DryRunView, ParkedRow, ParkedView
from projections.dashboard.components import words
from projections.dashboard.components.basic import Content, Tone, aria, empty, icon, mark, pairs, press
from projections.dashboard.components.event import whole
from projections.dashboard.components.kinds import kind_mark
from projections.dashboard.components.table import Column, table
from projections.dashboard.services import ParkedAt

STATES: dict[str, tuple[str, Tone, str]] = {
    "retrying": ("Retrying", "info", "clock"),
    "waiting": ("Waits behind", "idle", "pause"),
    "dead": ("Dead", "bad", "cross"),
}
NOT_TRIED = "Not tried yet: behind others of its key"
FailureOf = tuple[str, FailureGroup]
RowOf = tuple[str, ParkedRow]


def button(
    text: str, attributes: dict[str, Any], picture: str, *, allowed: bool = True, why_not: str = "", look: str = ""
) -> html.Button:
    """A button that says why it cannot be pressed."""
    return html.Button(
        [icon(picture), text],
        className=f"plain-button with-icon {look}".strip(),
        disabled=not allowed,
        title="" if allowed else why_not,
        **attributes,
    )


def failure_name(failure: FailureGroup | ParkedRow) -> str:
    return failure.error or NOT_TRIED


def failures_table(found: list[FailureOf], may_act: bool, why_not: str) -> Component:
    def actions(row: FailureOf) -> Content:
        service, failure = row
        key = f"{service} {failure.failure}"
        return html.Span(
            [
                button("Messages", press("parked-filter", key), "search"),
                button("Retry all", press("parked-group", key), "play", allowed=may_act, why_not=why_not),
            ],
            className="buttons",
        )

    columns: list[Column[FailureOf]] = [
        Column("Failure", lambda row: [html.B(failure_name(row[1])), html.Div(row[1].place, className="mono muted")]),
        Column("Service", lambda row: words.service(row[0])),
        Column("Messages", lambda row: words.count(row[1].messages), "number"),
        Column("Dead", lambda row: words.count(row[1].dead), "number wide-only"),
        Column("Wait behind", lambda row: words.count(row[1].followers), "number wide-only"),
        Column("Oldest", lambda row: words.ago(row[1].oldest), "number"),
        Column("", actions, "number"),
    ]
    return table("Failures", columns, found)


def rows_table(found: list[RowOf]) -> Component:
    columns: list[Column[RowOf]] = [
        Column("Message", open_button),
        Column("Service", lambda row: words.service(row[0]), "wide-only"),
        Column("About", lambda row: words.short(row[1].key) if row[1].key else words.NOTHING),
        Column("State", lambda row: mark(*STATES[row[1].state])),
        Column("Attempts", lambda row: words.count(row[1].attempts), "number"),
        Column("Next attempt", lambda row: next_attempt(row[1]), "number"),
        Column("Parked", lambda row: words.ago(row[1].parked_at), "number"),
        Column("Error", lambda row: row[1].message or failure_name(row[1]), "muted shrink"),
    ]
    return table("Parked messages", columns, found)


def next_attempt(message: ParkedRow) -> Content:
    """The dead wait for a person."""
    return words.NOTHING if message.state == "dead" else words.moment(message.next_attempt_at)


def open_button(row: RowOf) -> Component:
    service, message = row
    pressed = press("parked-chosen", f"{service} {message.message_id}")
    shown = kind_mark(message.contract) if message.contract else mark("Unreadable", "bad", "warning")
    return html.Button(shown, className="bare-button", **pressed, **aria(haspopup="dialog"))


def problems(found: Sequence[ParkedAt]) -> list[Component]:
    """One line for each service that cannot be asked."""
    return [
        html.Div(
            [icon("warning"), html.B(words.service(each.service)), html.Span(each.problem)],
            className="notice tone-warn",
        )
        for each in found
        if each.found is None
    ]


def detail(service: str, message: ParkedView) -> Component:
    """All about one message; what came in is shown as text."""
    return html.Div(
        [
            html.P(
                [
                    kind_mark(message.contract) if message.contract else mark("Unreadable", "bad", "warning"),
                    mark(*STATES[message.state]),
                    html.Span(message.contract or message.routing_key, className="mono muted"),
                ],
                className="toolbar",
            ),
            pairs(
                ("At", f"{words.service(service)}, where it could not be handled"),
                ("Failure", failure_name(message)),
                ("Says", message.message or words.NOTHING),
                ("Attempts", words.count(message.attempts)),
                ("Next attempt", next_attempt(message)),
                ("Parked", [words.moment(message.parked_at), ", ", words.ago(message.parked_at)]),
                ("Key", whole(message.key or words.NOTHING)),
                ("Message", whole(message.message_id)),
                ("Waits behind", words.counted(len(message.before), "message")),
                ("Holds up", words.counted(len(message.followers), "message")),
            ),
            fold("Body", message.body, opened=True),
            *([fold("Body before it was edited", message.original_body)] if message.original_body else []),
            *([fold("Traceback", message.traceback)] if message.traceback else []),
            fold("Headers", json.dumps(message.headers, indent=2, ensure_ascii=False, default=str)),
            *([html.H3("What was done"), history(message.actions)] if message.actions else []),
        ],
        className="event-detail",
    )


def fold(title: str, text: str, *, opened: bool = False) -> html.Details:
    return html.Details([html.Summary(title), html.Pre(pretty(text), className="payload", tabIndex=0)], open=opened)


def pretty(text: str) -> str:
    """JSON in lines; whatever else as it is."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text


def history(actions: list[ActionView]) -> Component:
    columns: list[Column[ActionView]] = [
        Column("Who", lambda each: each.actor),
        Column("Did", lambda each: each.action),
        Column("When", lambda each: words.moment(each.acted_at)),
        Column("Why", lambda each: each.reason or words.NOTHING),
    ]
    return table("What was done", columns, actions)


def dry_run(run: DryRunView) -> Component:
    """What would be recorded and announced; nothing of it is kept."""
    if run.failure:
        said = f"It would fail again: {run.failure.error} at {run.failure.place}. {run.failure.message}"
        return html.Div(
            [notice(said, "bad", "cross"), fold("Traceback", run.failure.traceback)], className="event-detail"
        )
    if run.outside == "not called":
        text = "Not run: it begins with a call to another system, which a dry run leaves out."
        return notice(text, "warn", "warning")
    if run.received_before:
        return notice("It has taken effect before; it would be dropped.", "info", "check")
    rows = [
        fold(f"{words.plainly(made.table)}: one row", json.dumps(made.row, default=str), opened=True)
        for made in run.rows
    ]
    gone = [
        html.P(f"{words.plainly(name)}: {words.counted(number, 'row')} would leave.")
        for name, number in run.removed.items()
    ]
    text = f"It would succeed and make {words.counted(len(run.rows), 'row')}. Everything was rolled back."
    return html.Div([notice(text, "good", "check"), *rows, *gone], className="event-detail")


def notice(text: str, tone: Tone, picture: str) -> html.Div:
    return html.Div([icon(picture), html.Span(text)], className=f"notice tone-{tone}", role="status")


def nothing(*, any_known: bool) -> Component:
    if not any_known:
        return empty("Not known", "No service that keeps parked messages could be asked.", "warning")
    return empty("Nothing is parked", "What cannot be handled appears here, with what waits behind it.", "check")
