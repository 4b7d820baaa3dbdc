"""What people wrote about a failure group: owner, note, link, hold; and the form that changes it in place."""

from collections.abc import Sequence

import dash_mantine_components as dmc  # type: ignore[import-untyped]
from dash import html
from dash.development.base_component import Component

from ordersaga.http.triage_views import GroupInFull, GroupView, TriageActionView
from projections.dashboard.components import parked, parked_actions, words
from projections.dashboard.components.basic import Content, button, empty, pairs
from projections.dashboard.components.table import Column, table

NOBODY = html.Span("Nobody", className="text-warn")


def facts(group: GroupInFull) -> Component:
    return html.Div(
        [
            pairs(
                ("Owner", group.owner or NOBODY),
                ("Link", link(group.link)),
                ("Note", html.Span(group.note, className="note") if group.note else words.NOTHING),
                ("On hold", hold(group)),
            )
        ],
        className="parked-facts",
    )


def link(address: str) -> Content:
    """Of another site, as its author wrote it: the page tells that site nothing."""
    if not address:
        return words.NOTHING
    return html.A(address, href=address, target="_blank", rel="noopener noreferrer")


def hold(group: GroupInFull) -> Content:
    if group.held_since is None:
        return "No"
    return ["Since ", words.moment(group.held_since), f" by {group.held_by}: {group.held_reason}"]


def hold_said(group: GroupView) -> str:
    if group.held_since:
        return "The group is on hold: none of its messages is tried, nor one that will fail so, until it is released."
    return "The group is released: its messages are due now, but for those that somebody holds by themselves."


def form(*, may_act: bool) -> Component:
    """The fields are hidden until somebody edits; the reason is for every action of the card."""

    def one(name: str, text: str, icon_name: str, look: str = "") -> Component:
        return button(text, {"id": f"group-{name}"}, icon_name, allowed=may_act, why_not=parked.WHY_NOT, look=look)

    fields = html.Div(
        [
            dmc.TextInput(id="group-owner", label="Owner", placeholder="A team or a person"),
            dmc.TextInput(id="group-link", label="Link", placeholder="https://, such as a ticket"),
            dmc.Textarea(id="group-note", label="Note", autosize=True, minRows=2, maxRows=8),
        ],
        id="group-fields",
        hidden=True,
        className="parked-act",
    )
    return html.Div(
        [
            fields,
            parked_actions.reason_input("group-reason", "Why"),
            html.Div(
                [
                    html.Span(one("edit", "Edit", "tag"), id="group-edit-part"),
                    html.Span(
                        [one("save", "Save", "check", "main-button"), " ", one("cancel", "Cancel", "cross")],
                        id="group-save-part",
                        hidden=True,
                    ),
                    html.Span(one("hold", "Put on hold", "pause"), id="group-hold-part"),
                    html.Span(one("release", "Release", "back"), id="group-release-part", hidden=True),
                ],
                className="buttons",
            ),
            *([] if may_act else [html.P(parked.WHY_NOT, className="muted small")]),
        ],
        className="parked-act triage-form",
    )


def history(actions: Sequence[TriageActionView]) -> Component:
    """What people did to the group as a whole."""
    columns: list[Column[TriageActionView]] = [
        Column("Who", lambda each: each.actor),
        Column("Action", lambda each: each.action),
        Column("When", lambda each: words.moment(each.acted_at)),
        Column("Reason", lambda each: each.reason or words.NOTHING),
        Column("Details", details, "muted"),
    ]
    return table("Actions on the group", columns, actions) if actions else empty("Nobody has acted on the group yet")


def details(action: TriageActionView) -> str:
    return ", ".join(f"{name} {value}" for name, value in action.details.items())
