"""What a person can do to one parked message: the form, what skipping loses, and the answer with what comes next."""

from collections.abc import Sequence

import dash_mantine_components as dmc  # type: ignore[import-untyped]
from dash import dcc, html
from dash.development.base_component import Component

from ordersaga.http.parked_views import ParkedRow, ParkedView
from projections.dashboard.addresses import address
from projections.dashboard.components import parked, words
from projections.dashboard.components.basic import Content, Tone, aria, button, icon
from projections.dashboard.components.parked_message import order_of, spoken

OUTCOMES = {
    "retrying": "The retry is due now; once handled or published, the message leaves this list.",
    "waiting": "It waits behind earlier messages of its key and is retried after them.",
    "skipped": "It is skipped. The messages behind it continue.",
    "held": "It is on hold: it is not tried, nor what waits behind it, until somebody releases, retries or skips it.",
    "released": "It is released, and due now unless its failure group is on hold.",
}


UNDONE = html.Span("Cannot be undone; it asks first", className="muted small")


def reason_input(id_: str, placeholder: str) -> Component:
    made: Component = dmc.TextInput(
        id=id_, label="Reason, for the record", placeholder=placeholder, inputProps={"maxLength": 500}
    )
    return made


def skip_dialog(prefix: str, go: str, *, several: bool) -> Component:
    """Asks before one message, or several, is skipped; ids begin with `prefix`, but for that of the button `go`."""
    what, who, whom = ("these messages", "they", "them") if several else ("this message", "it", "it")
    made: Component = dmc.Modal(
        [
            html.P(id=f"{prefix}-skip-text"),
            reason_input(f"{prefix}-skip-reason", f"Why {who} must not take effect"),
            html.Div(
                [
                    html.Button(f"Keep {whom}", id=f"{prefix}-skip-cancel", className="plain-button"),
                    button("Skip for good", {"id": go}, "cross", look="danger-button"),
                ],
                className="buttons",
            ),
        ],
        id=f"{prefix}-skip-dialog",
        title=f"Skip {what}?",
        closeButtonProps={"aria-label": "Close"},
        className="parked-dialog",
        transitionProps={"duration": 0},
    )
    return made


def result_region(id_: str) -> Component:
    """Empty; the answer of an action stays here until it is closed or the next one comes. See assets/parked.js."""
    return html.Div(id=id_, className="parked-result", role="status", tabIndex=-1)


def form(refused_by: str, *, may_act: bool) -> Component:
    """The reason and the buttons; skipping is set apart, because it cannot be undone."""

    def one(name: str, text: str, icon_name: str, look: str = "") -> Component:
        return button(text, {"id": f"message-{name}"}, icon_name, allowed=may_act, why_not=parked.WHY_NOT, look=look)

    of_reaction = refused_by == "reaction"
    return html.Div(
        [
            *([] if may_act else [html.P(parked.WHY_NOT, className="muted")]),
            reason_input("message-reason", "What was fixed"),
            html.Div(
                [
                    one("retry", "Retry", "play", "main-button"),
                    html.Span(one("dry-run", "Dry run", "search"), hidden=not of_reaction),
                    html.Span(one("edit", "Edit and retry", "tag"), hidden=not of_reaction),
                    html.Span(one("hold", "Hold", "pause"), id="message-hold-part"),
                    html.Span(one("release", "Release", "back"), id="message-release-part", hidden=True),
                    html.Div(
                        [one("skip", "Skip for good", "cross", "danger-button"), UNDONE], className="parked-apart"
                    ),
                ],
                className="buttons",
            ),
        ],
        id="message-form",
        className="parked-act",
    )


def answer(text: Content, tone: Tone, icon_name: str, following: Sequence[Component] = ()) -> Component:
    """A notice that stays until it is closed, with links to what comes next."""
    shut = html.Button(icon("cross"), className="bare-button answer-close", **aria(label="Close"))
    body: list[Component] = [icon(icon_name), html.Div(text, className="answer-text"), shut]
    links = [html.P([html.B("Next: "), *separated(following)], className="answer-next")] if following else []
    return html.Div([html.Div(body, className="answer-head"), *links], className=f"notice answer tone-{tone}")


def separated(links: Sequence[Component]) -> list[Component | str]:
    return [part for number, link in enumerate(links) for part in ((", ", link) if number else (link,))]


def what_is_lost(service: str, message: ParkedView) -> str:
    """What skipping this message loses, in one sentence."""
    key = f" for {message.key}" if message.key else ""
    if message.refused_by == "broker":
        lost = f"No service ever receives this {parked.contract_name(message)}{key}"
    elif message.reaction:
        lost = f"{words.service(service)} never runs {quoted(message.reaction)}{key}"
    else:
        lost = f"This {parked.contract_name(message)} never takes effect in {words.service(service)}{key}"
    behind = words.counted(len(message.followers), "message")
    continues = f"the {behind} behind it {'goes' if len(message.followers) == 1 else 'go'} on without it"
    return f"{lost}; {continues if message.followers else 'no message waits behind it'}. This cannot be undone."


def quoted(reaction: str) -> str:
    return f"\N{LEFT DOUBLE QUOTATION MARK}{spoken(reaction)}\N{RIGHT DOUBLE QUOTATION MARK}"


def following(service: str, message: ParkedView, then: ParkedRow | None) -> list[Component]:
    """Links to the next message of the failure group, or to the other failures, and to the order."""
    order = order_of(message.contract, message.key)
    return [
        dcc.Link(
            ["message ", words.short(then.key or then.message_id), " of this failure"], href=parked.href(service, then)
        )
        if then
        else dcc.Link("all failures", href=address("parked")),
        *([dcc.Link(["order ", words.short(message.key)], href=order)] if order else []),
    ]
