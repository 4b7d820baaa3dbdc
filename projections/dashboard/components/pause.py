"""The consumer groups of the services: whether each receives, and a button that pauses or resumes it with a reason."""

from collections.abc import Sequence

import dash_mantine_components as dmc  # type: ignore[import-untyped]
from dash import dcc, html
from dash.development.base_component import Component

from ordersaga.http.triage_views import ConsumerView
from projections.dashboard.components import parked, parked_actions, words
from projections.dashboard.components.basic import Content, button, card, mark, press, skeleton
from projections.dashboard.components.table import Column, table

NOTE = "A paused group neither receives nor retries: its messages stay in the queues, in their order"
GroupOf = tuple[str, ConsumerView | None]
"""A service, and its group; None when the service does not answer."""


def groups_card() -> list[Component]:
    """The table, the answer of the last action, and the dialog."""
    answer = html.Div(parked_actions.result_region("pause-result"), className="card-text pause-answer")
    return [
        card("Consumer groups", [html.Div(skeleton(150), id="pause-groups"), answer], note=NOTE, flush=True),
        dialog(),
        dcc.Store(id="pause-asked"),
        dcc.Store(id="pause-changes", data=0),
    ]


def dialog() -> Component:
    go = button("Pause the group", {"id": "pause-go"}, "pause", look="danger-button")
    made: Component = dmc.Modal(
        [
            html.P(id="pause-text"),
            parked_actions.reason_input("pause-reason", "Why nothing may be received"),
            html.Div([html.Button("Cancel", id="pause-cancel", className="plain-button"), go], className="buttons"),
        ],
        id="pause-dialog",
        title="Pause or resume",
        closeButtonProps={"aria-label": "Close"},
        className="parked-dialog",
        transitionProps={"duration": 0},
    )
    return made


def groups_table(found: Sequence[GroupOf], *, may_act: bool) -> Component:
    def act(row: GroupOf) -> Content:
        service, group = row
        if group is None:
            return words.NOTHING
        verb = "resume" if group.paused else "pause"
        pressed = press("pause-asked", f"{verb} {service}")
        return button(
            verb.capitalize(), pressed, "play" if group.paused else "pause", allowed=may_act, why_not=parked.WHY_NOT
        )

    columns: list[Column[GroupOf]] = [
        Column("Group", lambda row: html.B(words.service(row[0]))),
        Column("State", lambda row: state(row[1])),
        Column("Since", lambda row: words.moment(row[1].since) if row[1] else words.NOTHING, "number wide-only"),
        Column("Who and why", lambda row: why(row[1]), "muted"),
        Column("", act, "number"),
    ]
    return table("Consumer groups", columns, found)


def state(group: ConsumerView | None) -> Component:
    if group is None:
        return mark("Unknown", "idle", "clock")
    return mark("Paused", "warn", "pause") if group.paused else mark("Not paused", "idle", "check")


def why(group: ConsumerView | None) -> str:
    return f"{group.actor}: {group.reason}" if group and group.paused else words.NOTHING


def question(verb: str, service: str) -> str:
    name = words.service(service)
    if verb == "pause":
        return f"{name} receives and retries nothing until somebody resumes it; orders wait, and none is lost."
    return f"{name} receives again, from where it was."


def said(service: str, group: ConsumerView) -> str:
    return f"{words.service(service)} {'is paused' if group.paused else 'receives again'}."
