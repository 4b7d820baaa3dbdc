"""Parked messages: the table of failures, the table of messages, and the marks of their states."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import dash_mantine_components as dmc  # type: ignore[import-untyped]
from dash import dcc, html
from dash.development.base_component import Component

from ordersaga.http.parked_views import ParkedRow
from ordersaga.parked.inspection import FailureGroup
from projections.dashboard.addresses import parked_group, parked_message
from projections.dashboard.components import words
from projections.dashboard.components.basic import Content, Tone, aria, empty, icon, mark
from projections.dashboard.components.kinds import kind_mark, kind_of
from projections.dashboard.components.table import Column, table
from projections.dashboard.services import ParkedAt, ParkedPlace

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


def failure_cell(service: str, failure: FailureGroup) -> list[Component]:
    """The error as a link to the group's page, its contract, and its place."""
    link = dcc.Link(html.B(failure_name(failure)), href=parked_group(service, failure.failure))
    return [link, *failure_lines(failure)]


def failure_lines(failure: FailureGroup) -> list[Component]:
    """The contract, and the place, which is the contract where the broker refused."""
    lines = dict.fromkeys(each for each in (failure.contract or "unreadable", failure.place) if each)
    return [html.Div(line, className="mono muted") for line in lines]


def failures_table(found: list[FailureOf]) -> Component:
    columns: list[Column[FailureOf]] = [
        Column("Failure", lambda row: failure_cell(*row), "failure-cell"),
        Column("Service", lambda row: words.service(row[0])),
        Column("Refused by", lambda row: REFUSED_BY[row[1].refused_by], "wide-only"),
        Column("Messages", lambda row: words.count(row[1].messages), "number"),
        Column("Dead", lambda row: words.count(row[1].dead), "number wide-only"),
        Column("Waiting", lambda row: words.count(row[1].followers), "number wide-only"),
        Column("Last failed", lambda row: words.ago(row[1].last_seen), "number wide-only"),
        Column("Owner", owner, "owner-cell"),
    ]
    return table("Failures", columns, sorted(found, key=urgency))


def urgency(row: FailureOf) -> tuple[bool, bool, datetime]:
    """First what nobody owns, then what is tried, then what has failed for the longest time."""
    failure = row[1]
    return bool(failure.owner), failure.held_since is not None, failure.oldest


def owner(row: FailureOf) -> list[Component]:
    """Who cares for it, whether it is on hold, and whether a run retries it."""
    failure = row[1]
    name = html.Span(failure.owner or "Nobody", className="" if failure.owner else "text-warn")
    held = [HELD] if failure.held_since else []
    return [name, *held, *([mark("Run under way", "info", "play")] if failure.run else [])]


def rows_table(found: list[RowOf], *, choose: bool = False) -> Component:
    """`choose` puts a checkbox before each; a `CheckboxGroup` around the table has the chosen ones."""
    columns: list[Column[RowOf]] = [
        *([Column("Choose", checkbox)] if choose else []),
        Column("Message", lambda row: message_link(*row)),
        Column("Service", lambda row: words.service(row[0]), "wide-only"),
        Column("Refused by", lambda row: REFUSED_BY[row[1].refused_by], "wide-only"),
        Column("Key", lambda row: words.short(row[1].key) if row[1].key else words.NOTHING),
        Column("State", lambda row: state(row[1]), "nowrap"),
        Column("Attempts", lambda row: words.count(row[1].attempts), "number wide-only"),
        Column("Next attempt", lambda row: next_attempt(row[1]), "number wide-only"),
        Column("Parked", lambda row: words.moment(row[1].parked_at), "number wide-only"),
        Column("Error", lambda row: row[1].message or failure_name(row[1]), "muted shrink wide-only"),
    ]
    return table("Parked messages", columns, found)


HELD = mark("On hold", "warn", "pause")


def state(message: ParkedRow) -> list[Component]:
    """What happens to it by itself, and whether somebody holds it."""
    return [mark(*STATES[message.state]), *([HELD] if message.on_hold else [])]


def checkbox(row: RowOf) -> Component:
    service, message = row
    made: Component = dmc.Checkbox(
        value=value_of(service, message),
        size="xs",
        **aria(label=f"Choose {contract_name(message)} {(message.key or str(message.message_id))[-8:]}"),
    )
    return made


def value_of(service: str, message: ParkedRow) -> str:
    """The place of a message as one text; `place_of` reads it."""
    return f"{service} {message.refused_by} {message.message_id}"


def place_of(value: str) -> ParkedPlace:
    """Raises ValueError."""
    service, refused_by, message_id = value.split(" ")
    return ParkedPlace(service, UUID(message_id), refused_by)


def next_attempt(message: ParkedRow) -> Content:
    """A dead message has none: it waits for a person."""
    return words.NOTHING if message.state == "dead" else words.moment(message.next_attempt_at)


def contract_mark(message: ParkedRow) -> Component:
    return kind_mark(message.contract) if message.contract else mark("Unreadable", "bad", "warning")


def contract_name(message: ParkedRow) -> str:
    return kind_of(message.contract).text if message.contract else "unreadable message"


def href(service: str, message: ParkedRow) -> str:
    return parked_message(service, message.refused_by, message.message_id)


def message_link(service: str, message: ParkedRow) -> Component:
    return dcc.Link(contract_mark(message), href=href(service, message))


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


def failures(found: list[FailureOf], only: str, *, is_known: bool) -> Component:
    """The table, or why there is none."""
    if found:
        return failures_table(found)
    if not is_known:
        return empty("Unknown", "No service answers for its parked messages.", "warning")
    if only:
        return empty(
            "No message of this failure is parked", "They have taken effect, or somebody skipped them.", "check"
        )
    return empty(
        "No parked messages",
        "A message that a reaction or the broker refuses appears here, with those behind it.",
        "check",
    )
