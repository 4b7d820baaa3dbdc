"""One parked message in full, and the result of a dry run."""

import json
from collections.abc import Sequence
from uuid import UUID

from dash import dcc, html
from dash.development.base_component import Component

from contracts import CONTRACTS
from ordersaga.http.parked_views import ActionView, DryRunView, ParkedRow, ParkedView
from projections.dashboard.addresses import order, parked_group, why
from projections.dashboard.bodies import pretty
from projections.dashboard.components import parked, words
from projections.dashboard.components.basic import Content, card, empty, notice, pairs
from projections.dashboard.components.event import identifier
from projections.dashboard.components.table import Column, table


def facts(service: str, message: ParkedView) -> Component:
    """Where it stands; this part changes with every attempt."""
    group = dcc.Link(parked.failure_name(message), href=parked_group(service, message.failure))
    return html.Div(
        [
            html.P(
                [
                    parked.contract_mark(message),
                    html.Span(parked.state(message)),
                    html.Span(message.contract or message.routing_key, className="mono muted"),
                ],
                className="toolbar",
            ),
            pairs(
                ("Service", words.service(service)),
                ("Refused by", refused_by(message)),
                ("Failure", group if message.error else parked.failure_name(message)),
                ("Error", message.message or words.NOTHING),
                ("Attempts", words.count(message.attempts)),
                ("Next attempt", parked.next_attempt(message)),
                ("Parked", [words.moment(message.parked_at), ", ", words.ago(message.parked_at)]),
                ("Key", key(message.contract, message.key)),
                ("Message", identifier(message.message_id)),
                ("Trace", trace(message)),
                ("Waits behind", words.counted(len(message.before), "message")),
                ("Blocks", words.counted(len(message.followers), "message")),
            ),
        ],
        className="event-detail parked-facts",
    )


def refused_by(message: ParkedView) -> str:
    """The broker, or the reaction by its name."""
    return f"Reaction, {spoken(message.reaction)}" if message.reaction else parked.REFUSED_BY[message.refused_by]


def spoken(function: str) -> str:
    """`when_order_placed_reserve_stock` -> "when order placed reserve stock"."""
    return function.replace("_", " ")


def order_of(contract: str | None, key: str | None) -> str | None:
    """The address of the order that a message belongs to."""
    is_order = contract in CONTRACTS and CONTRACTS[contract].KEY == "order_id"
    return order(key) if is_order and key else None


def key(contract: str | None, of_message: str | None) -> Content:
    """The key of an order is a link to its timeline."""
    href = order_of(contract, of_message)
    return dcc.Link(of_message, href=href, className="mono") if href else identifier(of_message or words.NOTHING)


def trace(message: ParkedView) -> Content:
    """The trace id of the W3C traceparent, and a link to causes and effects."""
    causes = dcc.Link("Causes and effects", href=why(message.message_id))
    parts = str(message.headers.get("traceparent", "")).split("-")
    return [identifier(parts[1]), ", ", causes] if len(parts) > 1 else causes


def content(service: str, message: ParkedView, queue: Sequence[ParkedRow]) -> list[Component]:
    """What changes only with an edit, an action, or a message behind it; shown as text, never as markup."""
    edited = [fold("Body before it was edited", message.original_body)] if message.original_body else []
    return [
        card(
            "Failure",
            payload(message.traceback) if message.traceback else html.P("No traceback."),
            note=message.place,
        ),
        card("Body", [payload(pretty(message.body)), *edited], note="edited" if edited else "", wide=6),
        card("Headers", payload(json.dumps(message.headers, indent=2, ensure_ascii=False, default=str)), wide=6),
        card("Queue of its key", queue_table(service, message.message_id, queue), note=BEHIND, flush=True, wide=6),
        card("Earlier actions", history(message.actions), flush=True, wide=6),
    ]


BEHIND = "Messages of one key are handled in this order"


def queue_table(service: str, this: UUID, queue: Sequence[ParkedRow]) -> Component:
    def link(row: ParkedRow) -> Content:
        return html.B("This message") if row.message_id == this else parked.message_link(service, row)

    columns: list[Column[ParkedRow]] = [
        Column("Message", link),
        Column("State", parked.state),
        Column("Id", lambda row: words.short(row.message_id)),
        Column("Parked", lambda row: words.moment(row.parked_at), "number wide-only"),
    ]
    return (
        table("Parked messages of this key", columns, queue) if queue else empty("No key, so nothing waits behind it")
    )


def fold(title: str, text: str, *, opened: bool = False) -> html.Details:
    return html.Details([html.Summary(title), payload(pretty(text))], open=opened)


def payload(text: str) -> html.Pre:
    """Text, never markup."""
    return html.Pre(text, className="payload", tabIndex=0)


def history(actions: Sequence[ActionView]) -> Component:
    columns: list[Column[ActionView]] = [
        Column("Who", lambda each: each.actor),
        Column("Action", lambda each: each.action),
        Column("When", lambda each: words.moment(each.acted_at)),
        Column("Reason", lambda each: each.reason or words.NOTHING),
    ]
    return table("Actions", columns, actions) if actions else empty("Nobody has acted on it yet")


def dry_run(run: DryRunView) -> Component:
    """The rows that an attempt would write; nothing is kept."""
    if run.failure:
        said = f"It would fail again: {run.failure.error} at {run.failure.place}. {run.failure.message}"
        return html.Div(
            [notice(said, "bad", "cross"), fold("Traceback", run.failure.traceback)], className="event-detail"
        )
    if run.outside == "not called":
        text = "Not run: the reaction begins with an outside step, which a dry run leaves out."
        return notice(text, "warn", "warning")
    if run.received_before:
        return notice("This message has taken effect before; it would be dropped.", "info", "check")
    rows = [
        fold(f"{words.plainly(made.table)}: one row", json.dumps(made.row, default=str), opened=True)
        for made in run.rows
    ]
    deleted = [
        html.P(f"{words.plainly(name)}: {words.counted(number, 'row')} would be deleted.")
        for name, number in run.removed.items()
    ]
    text = f"It would succeed and write {words.counted(len(run.rows), 'row')}. Everything was rolled back."
    return html.Div([notice(text, "good", "check"), *rows, *deleted], className="event-detail")
