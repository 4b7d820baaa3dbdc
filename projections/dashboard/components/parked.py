"""Parked messages: the table of failures, the table of messages, and the marks of their states."""

from collections.abc import Sequence

from dash import html
from dash.development.base_component import Component

from ordersaga.http.parked_views import ParkedRow
from ordersaga.parked.inspection import FailureGroup
from projections.dashboard.components import words
from projections.dashboard.components.basic import Content, Tone, aria, button, empty, icon, mark, press
from projections.dashboard.components.kinds import kind_mark
from projections.dashboard.components.table import Column, table
from projections.dashboard.services import ParkedAt

STATES: dict[str, tuple[str, Tone, str]] = {
    "retrying": ("Retrying", "info", "clock"),
    "waiting": ("Waiting", "idle", "pause"),
    "dead": ("Dead", "bad", "cross"),
}
WHY_NOT = "Only operators may act on messages: sign in as one, or ask one."
REASON_MISSING = "Give a reason for the record: what was fixed, or why the message is skipped."
REFUSED_BY = {"reaction": "Reaction", "broker": "Broker"}
NOT_TRIED = "Not tried yet: waits behind its key"
FailureOf = tuple[str, FailureGroup]
RowOf = tuple[str, ParkedRow]


def failure_name(failure: FailureGroup | ParkedRow) -> str:
    return failure.error or NOT_TRIED


def failure_cell(failure: FailureGroup) -> list[Component]:
    """The error, its contract, and its place, which is the contract where the broker refused."""
    lines = dict.fromkeys(each for each in (failure.contract or "unreadable", failure.place) if each)
    return [html.B(failure_name(failure)), *(html.Div(line, className="mono muted") for line in lines)]


def failures_table(found: list[FailureOf], may_act: bool) -> Component:
    def actions(row: FailureOf) -> Content:
        service, failure = row
        key = f"{service} {failure.failure}"
        return html.Span(
            [
                button("Messages", press("parked-filter", key), "search"),
                button("Retry all", press("parked-group", key), "play", allowed=may_act, why_not=WHY_NOT),
            ],
            className="buttons",
        )

    columns: list[Column[FailureOf]] = [
        Column("Failure", lambda row: failure_cell(row[1])),
        Column("Service", lambda row: words.service(row[0])),
        Column("Refused by", lambda row: REFUSED_BY[row[1].refused_by], "wide-only"),
        Column("Messages", lambda row: words.count(row[1].messages), "number"),
        Column("Dead", lambda row: words.count(row[1].dead), "number wide-only"),
        Column("Waiting", lambda row: words.count(row[1].followers), "number wide-only"),
        Column("Oldest", lambda row: words.ago(row[1].oldest), "number"),
        Column("", actions, "number"),
    ]
    return table("Failures", columns, found)


def rows_table(found: list[RowOf]) -> Component:
    columns: list[Column[RowOf]] = [
        Column("Message", open_button),
        Column("Service", lambda row: words.service(row[0]), "wide-only"),
        Column("Refused by", lambda row: REFUSED_BY[row[1].refused_by], "wide-only"),
        Column("Key", lambda row: words.short(row[1].key) if row[1].key else words.NOTHING),
        Column("State", lambda row: mark(*STATES[row[1].state])),
        Column("Attempts", lambda row: words.count(row[1].attempts), "number"),
        Column("Next attempt", lambda row: next_attempt(row[1]), "number"),
        Column("Parked", lambda row: words.ago(row[1].parked_at), "number"),
        Column("Error", lambda row: row[1].message or failure_name(row[1]), "muted shrink"),
    ]
    return table("Parked messages", columns, found)


def next_attempt(message: ParkedRow) -> Content:
    """A dead message has none: it waits for a person."""
    return words.NOTHING if message.state == "dead" else words.moment(message.next_attempt_at)


def open_button(row: RowOf) -> Component:
    service, message = row
    pressed = press("parked-chosen", f"{service} {message.message_id} {message.refused_by}")
    shown = kind_mark(message.contract) if message.contract else mark("Unreadable", "bad", "warning")
    return html.Button(shown, className="bare-button", **pressed, **aria(haspopup="dialog"))


def problems(found: Sequence[ParkedAt]) -> list[Component]:
    """A notice for each service that does not answer."""
    return [
        html.Div(
            [icon("warning"), html.B(words.service(each.service)), html.Span(each.problem)],
            className="notice tone-warn",
        )
        for each in found
        if each.found is None
    ]


def no_messages(*, any_known: bool) -> Component:
    if not any_known:
        return empty("Unknown", "No service answers for its parked messages.", "warning")
    return empty(
        "No parked messages",
        "A message that a reaction or the broker refuses appears here, with those behind it.",
        "check",
    )
