"""One parked message in full, its actions, and the result of a dry run."""

import json

from dash import html
from dash.development.base_component import Component

from ordersaga.http.parked_views import ActionView, DryRunView, ParkedView
from projections.dashboard.components import parked, words
from projections.dashboard.components.basic import button, mark, notice, pairs, press
from projections.dashboard.components.event import identifier
from projections.dashboard.components.kinds import kind_mark
from projections.dashboard.components.table import Column, table


def detail(service: str, message: ParkedView) -> Component:
    """Everything about one message; its content is shown as text, never as markup."""
    return html.Div(
        [
            html.P(
                [
                    kind_mark(message.contract) if message.contract else mark("Unreadable", "bad", "warning"),
                    mark(*parked.STATES[message.state]),
                    html.Span(message.contract or message.routing_key, className="mono muted"),
                ],
                className="toolbar",
            ),
            pairs(
                ("Service", words.service(service)),
                ("Refused by", parked.REFUSED_BY[message.refused_by]),
                ("Failure", parked.failure_name(message)),
                ("Error", message.message or words.NOTHING),
                ("Attempts", words.count(message.attempts)),
                ("Next attempt", parked.next_attempt(message)),
                ("Parked", [words.moment(message.parked_at), ", ", words.ago(message.parked_at)]),
                ("Key", identifier(message.key or words.NOTHING)),
                ("Message", identifier(message.message_id)),
                ("Waits behind", words.counted(len(message.before), "message")),
                ("Blocks", words.counted(len(message.followers), "message")),
            ),
            fold("Body", message.body, opened=True),
            *([fold("Body before it was edited", message.original_body)] if message.original_body else []),
            *([fold("Traceback", message.traceback)] if message.traceback else []),
            fold("Headers", json.dumps(message.headers, indent=2, ensure_ascii=False, default=str)),
            *([html.H3("Actions"), history(message.actions)] if message.actions else []),
        ],
        className="event-detail",
    )


def fold(title: str, text: str, *, opened: bool = False) -> html.Details:
    return html.Details([html.Summary(title), html.Pre(pretty(text), className="payload", tabIndex=0)], open=opened)


def pretty(text: str) -> str:
    """JSON in lines; other text unchanged, also JSON that is nested too deep for Python."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


def history(actions: list[ActionView]) -> Component:
    columns: list[Column[ActionView]] = [
        Column("Who", lambda each: each.actor),
        Column("Action", lambda each: each.action),
        Column("When", lambda each: words.moment(each.acted_at)),
        Column("Reason", lambda each: each.reason or words.NOTHING),
    ]
    return table("Actions", columns, actions)


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


def buttons(message: ParkedView, may_act: bool) -> list[Component]:
    """The actions that an operator has."""

    def one(text: str, act: str, icon_name: str, look: str = "") -> Component:
        pressed = press("parked-act", f"{act} {message.version}")
        return button(text, pressed, icon_name, allowed=may_act, why_not=parked.WHY_NOT, look=look)

    shown = [
        *([one("Dry run", "dry-run", "search")] if message.refused_by == "reaction" else []),
        one("Retry", "retry", "play", "main-button"),
        one("Skip for good", "skip", "cross"),
    ]
    return shown if may_act else [*shown, html.Span(parked.WHY_NOT, className="muted small")]


def outcome(state: str) -> Component:
    said = {
        "retrying": "The retry is due now; once handled or published, the message leaves this list.",
        "waiting": "It waits behind earlier messages of its key and is retried after them.",
        "skipped": "It is skipped. The messages behind it continue.",
    }
    return notice(said[state], "good", "check")
