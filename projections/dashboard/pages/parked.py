"""Messages that could not be handled: by failure, one by one, tried out, tried again, or given up."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import dash_mantine_components as dmc  # type: ignore[import-untyped]
from dash import Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from messaging.web.parked_views import ParkedView
from projections.dashboard.components import parked, words
from projections.dashboard.components.basic import card, press, skeleton
from projections.dashboard.page import Page
from projections.dashboard.reading import Reader
from projections.dashboard.services import MOST_ROWS, ParkedAt, Refused, Services
from projections.dashboard.shell import SLOW, page_frame
from projections.dashboard.viewer import Viewer, viewer

WHY_NOT = "Only operators may act on messages; ask one, or sign in as one."
SAY_WHY = "Say why, for the record: what was mended, or why it is given up."
INTRO = (
    "A message that fails holds up the later ones of its key, and nothing else. Look at the failure, mend its cause, "
    "try the message out, then retry it. Whatever is done is recorded with who and why."
)
PRESSED = ("filter", "group", "chosen", "act")
"""What was pressed last; see assets/press.js."""


def layout(_: str) -> Component:
    return page_frame(
        "Parked messages",
        html.Div(id="parked-problems"),
        html.Div(id="parked-done", role="status"),
        card("Failures", html.Div(skeleton(120), id="parked-failures"), flush=True),
        card("Messages", html.Div(skeleton(160), id="parked-rows"), aside=html.Span(id="parked-shown"), flush=True),
        *(dcc.Store(id=f"parked-{name}") for name in (*PRESSED, "failure")),
        dcc.Store(id="parked-changes", data=0),
        drawer(),
        group_dialog(),
        intro=INTRO,
    )


def drawer() -> Component:
    """One message, and what can be done with it."""
    made: Component = dmc.Drawer(
        [
            html.Div(id="parked-detail"),
            html.Div(
                [
                    dmc.TextInput(
                        id="parked-reason",
                        label="Reason, for the record",
                        placeholder="What was mended, or why it is given up",
                    ),
                    html.Div(id="parked-actions", className="buttons"),
                    html.Div(id="parked-result"),
                ],
                className="parked-act",
            ),
        ],
        id="parked-drawer",
        title="Parked message",
        position="right",
        size="xl",
        keepMounted=True,
        closeButtonProps={"aria-label": "Close"},
    )
    return made


def group_dialog() -> Component:
    made: Component = dmc.Modal(
        [
            html.P(id="parked-group-text"),
            dmc.TextInput(id="parked-group-reason", label="Reason, for the record", my=12),
            parked.button("Retry all", {"id": "parked-group-go"}, "play", look="main-button"),
        ],
        id="parked-group-dialog",
        title="Retry a whole failure group",
        keepMounted=True,
        closeButtonProps={"aria-label": "Close"},
    )
    return made


def callbacks(app: Dash, reader: Reader) -> None:
    services = reader.services
    looking(app, services)
    one_message(app, services)
    whole_group(app, services)


def looking(app: Dash, services: Services) -> None:
    @app.callback(
        [Output(f"parked-{name}", "children") for name in ("problems", "failures", "rows", "shown")],
        Input(SLOW, "data"),
        Input("parked-failure", "data"),
        Input("parked-changes", "data"),
    )
    def refresh(_: int, failure: str | None, _changes: int) -> list[Any]:
        service, wanted = (failure or " ").split(" ")
        return update(services.parked(viewer().token, wanted or None), viewer(), service if wanted else "")

    @app.callback(
        Output("parked-failure", "data"),
        Input("parked-filter", "data"),
        State("parked-failure", "data"),
        prevent_initial_call=True,
    )
    def choose_failure(pressed: str, chosen: str | None) -> str | None:
        return None if pressed == chosen else pressed


def one_message(app: Dash, services: Services) -> None:
    @app.callback(
        Output("parked-drawer", "opened"),
        Output("parked-reason", "value"),
        Output("parked-result", "children"),
        Input("parked-chosen", "data"),
        prevent_initial_call=True,
    )
    def open_message(_: str) -> tuple[Any, ...]:
        return True, "", None

    @app.callback(
        Output("parked-detail", "children"),
        Output("parked-actions", "children"),
        Input("parked-chosen", "data"),
        Input("parked-changes", "data"),
        prevent_initial_call=True,
    )
    def show(chosen: str | None, _: int) -> tuple[Any, Any]:
        if not chosen:
            return None, None
        service, message_id = parts(chosen)
        try:
            found = services.show(viewer().token, service, message_id)
        except Refused as problem:
            return parked.notice(str(problem), "warn", "warning"), None
        return parked.detail(service, found), message_buttons(found, viewer())

    @app.callback(
        Output("parked-result", "children", allow_duplicate=True),
        Output("parked-changes", "data"),
        Input("parked-act", "data"),
        State("parked-chosen", "data"),
        State("parked-reason", "value"),
        State("parked-changes", "data"),
        prevent_initial_call=True,
        running=[(Output("parked-actions", "className"), "buttons working", "buttons")],
    )
    def act(pressed: str, chosen: str, reason: str | None, changes: int) -> tuple[Component, int]:
        verb, _, seen = pressed.partition(" ")
        return done(services, verb, chosen, (reason or "").strip(), seen), changes + 1


def whole_group(app: Dash, services: Services) -> None:
    @app.callback(
        Output("parked-group-text", "children"),
        Output("parked-group-dialog", "opened"),
        Input("parked-group", "data"),
        prevent_initial_call=True,
    )
    def ask(group: str) -> tuple[str, bool]:
        service = words.service(group.partition(" ")[0])
        return f"Every message of this failure at {service} is tried again now, in order.", True

    @app.callback(
        Output("parked-done", "children"),
        Output("parked-group-dialog", "opened", allow_duplicate=True),
        Output("parked-changes", "data", allow_duplicate=True),
        Output("parked-group-reason", "error"),
        Input("parked-group-go", "n_clicks"),
        State("parked-group", "data"),
        State("parked-group-reason", "value"),
        State("parked-changes", "data"),
        prevent_initial_call=True,
        running=[(Output("parked-group-go", "disabled"), True, False)],
    )
    def retry(_: int, group: str, reason: str | None, changes: int) -> tuple[Any, ...]:
        if not (why := (reason or "").strip()):
            return no_update, no_update, no_update, SAY_WHY
        service, failure = group.split(" ")
        try:
            number = services.retry_group(viewer().token, service, failure, why)
        except Refused as problem:
            return parked.notice(str(problem), "bad", "cross"), False, changes + 1, None
        return parked.notice(f"{words.counted(number, 'message')} due now.", "good", "check"), False, changes + 1, None


def update(found: Sequence[ParkedAt], person: Viewer, only: str) -> list[Any]:
    """The problems, the failures, the messages, and a word on which messages these are."""
    known = [(each.service, each.found) for each in found if each.found]
    failures = [(service, failure) for service, listed in known for failure in listed.failures]
    rows = [(service, row) for service, listed in known for row in listed.messages if only in ("", service)]
    more = len(rows) > MOST_ROWS or any(listed.next for _, listed in known)
    shown = rows[:MOST_ROWS]
    said = f"{words.counted(len(shown), 'message')}{' and more' if more else ''}{' of one failure' if only else ''}"
    return [
        parked.problems(found),
        parked.failures_table(failures, person.may_act, WHY_NOT) if failures else parked.nothing(any_known=bool(known)),
        parked.rows_table(shown) if shown else html.P("None.", className="muted card-text"),
        said,
    ]


def message_buttons(message: ParkedView, person: Viewer) -> list[Component]:
    def made(text: str, act: str, picture: str, look: str = "") -> Component:
        pressed = press("parked-act", f"{act} {message.version}")
        return parked.button(text, pressed, picture, allowed=person.may_act, why_not=WHY_NOT, look=look)

    buttons = [
        made("Dry run", "dry-run", "search"),
        made("Retry", "retry", "play", "main-button"),
        made("Skip for good", "skip", "cross"),
    ]
    return buttons if person.may_act else [*buttons, html.Span(WHY_NOT, className="muted small")]


def done(services: Services, verb: str, chosen: str, reason: str, seen: str) -> Component:
    """Does it, and says what became of it."""
    service, message_id = parts(chosen)
    token = viewer().token
    if verb != "dry-run" and not reason:
        return parked.notice(SAY_WHY, "warn", "warning")
    acts: dict[str, Callable[[], Component]] = {
        "dry-run": lambda: parked.dry_run(services.dry_run(token, service, message_id)),
        "retry": lambda: became(services.retry(token, service, message_id, reason, seen).state),
        "skip": lambda: became(services.skip(token, service, message_id, reason, seen).state),
    }
    try:
        return acts[verb]()
    except Refused as problem:
        return parked.notice(str(problem), "bad", "cross")


def became(state: str) -> Component:
    said = {
        "retrying": "It is due now; if it is handled it leaves this list.",
        "waiting": "It waits behind others of its key, and is tried after them.",
        "skipped": "It is skipped. What waited behind it goes on.",
    }
    return parked.notice(said[state], "good", "check")


def parts(chosen: str) -> tuple[str, UUID]:
    service, _, message_id = chosen.partition(" ")
    return service, UUID(message_id)


PAGE = Page("parked", "Parked", "parked", layout, callbacks)
