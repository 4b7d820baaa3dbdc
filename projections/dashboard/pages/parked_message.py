"""The page of one parked message: what failed and what it holds up, and its dry run and retry."""

from typing import Any
from uuid import UUID

from dash import Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component

from ordersaga.http.parked_views import ParkedView
from projections.dashboard.addresses import address
from projections.dashboard.components import parked, parked_actions, parked_editor, parked_message, words
from projections.dashboard.components.basic import Content, card, empty, notice, skeleton
from projections.dashboard.pages import answers, parked_edit, parked_skip
from projections.dashboard.pages.parked_act import act, is_missing
from projections.dashboard.reading import Reader
from projections.dashboard.services import ParkedPlace, ServiceRefused
from projections.dashboard.shell import SLOW, page_frame
from projections.dashboard.viewer import viewer

VERBS = ("retry", "dry-run", "hold", "release")
"""Of which none asks first."""


def layout(service: str, refused_by: str, message_id: UUID) -> Component:
    may_act = viewer().may_act
    acting = [parked_actions.form(refused_by, may_act=may_act), parked_actions.result_region("message-result")]
    return page_frame(
        f"Parked message {str(message_id)[-8:]}",
        html.Div(
            [
                card(words.service(service), html.Div(skeleton(320), id="message-detail"), wide=7),
                card("Act", acting, note="Every action is recorded with its actor and reason", wide=5),
                parked_editor.editor(may_act=may_act),
            ],
            className="grid",
        ),
        html.Div(skeleton(240), id="message-content", className="grid"),
        parked_actions.skip_dialog("message", "message-skip-go", several=False),
        dcc.Store(id="message-place", data=f"{service} {refused_by} {message_id}"),
        dcc.Store(id="message-changes", data=0),
        dcc.Store(id="message-drawn"),
        dcc.Store(id="message-version"),
        tools=dcc.Link("All parked messages", href=address("parked")),
    )


def callbacks(app: Dash, reader: Reader) -> None:
    services = reader.services
    parked_skip.callbacks(app, services)
    parked_edit.callbacks(app, services)

    @app.callback(
        Output("message-detail", "children"),
        Output("message-content", "children"),
        Output("message-form", "hidden"),
        Output("message-drawn", "data"),
        Output("message-version", "data"),
        Output("message-hold-part", "hidden"),
        Output("message-release-part", "hidden"),
        Input(SLOW, "data"),
        Input("message-changes", "data"),
        State("message-place", "data"),
        State("message-drawn", "data"),
    )
    def refresh(_: int, _changes: int, value: str, drawn: str | None) -> tuple[Any, ...]:
        place, token = parked.place_of(value), viewer().token
        try:
            found = services.show(token, place)
        except ServiceRefused as problem:
            if problem.is_gone:
                body: Any = [] if drawn is None else no_update
                return gone(reader, place, str(problem)), body, True, drawn, None, no_update, no_update
            return notice(str(problem), "warn", "warning"), *[no_update] * 6
        now, facts = digest(found), parked_message.facts(place.service, found)
        rest = (False, now, found.version, found.on_hold, not found.on_hold)
        if now == drawn:
            return facts, no_update, *rest
        queue = services.queue_of(token, place.service, found)
        return facts, parked_message.content(place.service, found, queue), *rest

    @app.callback(
        Output("message-result", "children"),
        Output("message-changes", "data"),
        Output("message-reason", "error"),
        *(Input(f"message-{verb}", "n_clicks") for verb in VERBS),
        State("message-place", "data"),
        State("message-version", "data"),
        State("message-reason", "value"),
        State("message-changes", "data"),
        prevent_initial_call=True,
        running=[(Output("message-form", "className"), "parked-act working", "parked-act")],
    )
    def press(*given: Any) -> tuple[Any, ...]:
        value, seen, reason, changes = given[len(VERBS) :]
        place, verb = parked.place_of(value), str(ctx.triggered_id).removeprefix("message-")
        if verb == "dry-run":
            return dry_run(reader, place), no_update, None
        if is_missing(reason):
            return no_update, no_update, parked.REASON_MISSING
        answer = act(services, place, lambda: services.act(verb, viewer().token, place, reason, seen))
        return answer, changes + 1, None

    answers.callbacks(app, "message-result", ("message-reason", "message-skip-reason"))


TOOK_EFFECT = "It has taken effect since, or was published."


def digest(found: ParkedView) -> str:
    """Changes when something changes that stands below the facts."""
    return f"{found.place} {found.edits} {len(found.actions)} {len(found.before)} {len(found.followers)}"


def dry_run(reader: Reader, place: ParkedPlace) -> Component:
    try:
        return parked_message.dry_run(reader.services.dry_run(viewer().token, place))
    except ServiceRefused as problem:
        return parked_actions.answer(str(problem), "bad", "cross")


def gone(reader: Reader, place: ParkedPlace, problem: str) -> Component:
    """A message that is not parked, or no longer: what became of it, as far as it is known."""
    try:
        actions = reader.services.actions(viewer().token, place)
    except ServiceRefused:
        actions = []
    event = reader.event(str(place.message_id))
    if event is None and not actions:
        return empty("Message not found", problem, "search")
    last = actions[0] if actions else None
    skipped = last is not None and last.action == "skip"
    text = (
        f"{last.actor} skipped it: {last.reason}"
        if last and skipped
        else "It has taken effect since, or was published."
    )
    links: Content = parked_message.key(event.contract, event.key) if event else None
    return html.Div(
        [
            empty("No longer parked", text, "cross" if skipped else "check"),
            *([html.P(["Key ", *(links if isinstance(links, list) else [links])])] if links else []),
            *([html.H3("Actions"), parked_message.history(actions)] if actions else []),
        ],
        className="event-detail",
    )
