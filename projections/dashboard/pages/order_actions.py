"""The actions on one order: cancel, refund a part, refund again, retry its parked message, add a note."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import dash_mantine_components as dmc  # type: ignore[import-untyped]
from dash import Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from projections.dashboard.components import order_actions, words
from projections.dashboard.components.acting import REASON_MISSING
from projections.dashboard.components.basic import card, notice
from projections.dashboard.components.order_actions import AMOUNT_WRONG, NOTE_MISSING, STORE, WHY_NOT
from projections.dashboard.components.parked_actions import OUTCOMES
from projections.dashboard.components.unchanged import fingerprint
from projections.dashboard.reading import Reader
from projections.dashboard.services import ParkedPlace, ServiceRefused
from projections.dashboard.shell import SLOW
from projections.dashboard.viewer import viewer
from projections.queries.notes import MAX_TEXT
from projections.queries.search import AmbiguousId

REASON_CHARACTERS = 200
TOO_LONG = f"A reason has {REASON_CHARACTERS} characters at most, a note {MAX_TEXT}."


def actions_card() -> Component:
    """The field keeps its text while the rest refreshes."""
    return card(
        "Act on this order",
        [
            html.Div(id="order-parked"),
            html.Div(
                [
                    dmc.TextInput(id="order-reason", label="Reason, or text of the note"),
                    dmc.TextInput(id="order-amount", label="Amount of a part", placeholder="5.00"),
                ],
                className="order-fields",
            ),
            html.Div(id="order-buttons", className="buttons"),
            html.Div(id="order-result", role="status"),
            dcc.Store(id=STORE),
            dcc.Store(id="order-changes", data=0),
            dcc.Store(id="order-parked-shown"),
        ],
        note="Each action is recorded with your name and the reason",
    )


def callbacks(app: Dash, reader: Reader) -> None:
    @app.callback(
        Output("order-parked", "children"),
        Output("order-parked-shown", "data"),
        Input(SLOW, "data"),
        Input("order-changes", "data"),
        State("order-order", "data"),
        State("order-waits", "data"),
        State("order-parked-shown", "data"),
    )
    def look_for_parked(_: int, __: int, order: str, waits: bool, shown: int | None) -> tuple[Any, Any]:
        """Only an order that waits has a message that can hold it."""
        order_id = whole(reader, order) if waits else None
        found = reader.services.parked(viewer().token, key=str(order_id)) if order_id else []
        now = fingerprint([(each.service, each.problem, each.found and each.found.messages) for each in found])
        if now == shown:
            return no_update, no_update
        return order_actions.parked(found, viewer().may_act), now

    @app.callback(
        Output("order-result", "children"),
        Output("order-reason", "value"),
        Output("order-amount", "value"),
        Output("order-changes", "data"),
        Input(STORE, "data"),
        State("order-order", "data"),
        State("order-reason", "value"),
        State("order-amount", "value"),
        State("order-changes", "data"),
        prevent_initial_call=True,
        running=[(Output("order-buttons", "className"), "buttons working", "buttons")],
    )
    def act(pressed: str | None, order: str, text: str | None, amount: str | None, changes: int) -> tuple[Any, ...]:
        order_id = whole(reader, order)
        if not pressed or order_id is None:
            return no_update, no_update, no_update, changes
        said, is_done = perform(reader, pressed, order_id, (text or "").strip(), amount or "")
        kept = "" if is_done else no_update
        return said, kept, kept, changes + 1


def whole(reader: Reader, order: str) -> UUID | None:
    try:
        return reader.order_id(order)
    except AmbiguousId:
        return None


def perform(reader: Reader, pressed: str, order_id: UUID, text: str, amount: str = "") -> tuple[Component | None, bool]:
    """Perform the action, and describe the outcome; also whether it was done."""
    verb, _, place = pressed.partition(" ")
    if verb == "keep":
        return None, False
    if not viewer().may_act:
        return notice(WHY_NOT, "warn", "warning"), False
    if not text:
        return notice(NOTE_MISSING if verb == "note" else REASON_MISSING, "warn", "warning"), False
    if len(text) > (MAX_TEXT if verb == "note" else REASON_CHARACTERS):
        return notice(TOO_LONG, "warn", "warning"), False
    if verb == "cancel":
        return order_actions.confirmation(reader.state_of(order_id)), False
    if verb == "part":
        return ask_for_part(reader, order_id, amount), False
    acts: dict[str, Callable[[], Component]] = {
        "cancel-sure": lambda: cancel(reader, order_id, text),
        "refund": lambda: refund(reader, order_id, text),
        "part-sure": lambda: refund_part(reader, order_id, place, text),
        "note": lambda: note(reader, order_id, text),
        "retry": lambda: retry(reader, place, text),
    }
    try:
        return acts[verb](), True
    except ServiceRefused as problem:
        return notice(str(problem), "bad", "cross"), False


def cancel(reader: Reader, order_id: UUID, reason: str) -> Component:
    reader.commands.cancel(viewer().token, order_id, reason)
    return notice("The order is cancelled. Its compensation appears in the steps.", "good", "check")


def ask_for_part(reader: Reader, order_id: UUID, amount: str) -> Component:
    found = reader.payment(str(order_id))
    units = words.minor_units(amount, found.currency if found else None)
    if not units:
        return notice(AMOUNT_WRONG, "warn", "warning")
    return order_actions.part_confirmation(found, units, uuid4())


def refund_part(reader: Reader, order_id: UUID, place: str, reason: str) -> Component:
    amount, key = place.split(" ")
    reader.commands.refund_part(viewer().token, order_id, int(amount), reason, key)
    return notice("The refund is requested. Its outcome appears in the payment.", "good", "check")


def refund(reader: Reader, order_id: UUID, reason: str) -> Component:
    reader.commands.refund(viewer().token, order_id, reason)
    return notice("The refund is requested again. Its outcome appears in the payment.", "good", "check")


def note(reader: Reader, order_id: UUID, text: str) -> Component:
    reader.add_note(order_id, viewer().subject, text)
    return notice("The note is recorded; it stands in the timeline and in the audit trail.", "good", "check")


def retry(reader: Reader, place: str, reason: str) -> Component:
    service, message_id, refused_by, version = place.split(" ")
    parked = ParkedPlace(service, UUID(message_id), refused_by)
    done = reader.services.act("retry", viewer().token, parked, reason, version)
    return notice(OUTCOMES[done.state], "good", "check")
