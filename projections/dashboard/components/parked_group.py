"""One failure group of parked messages."""

from dash import dcc, html
from dash.development.base_component import Component

from ordersaga.parked.inspection import FailureGroup
from projections.dashboard.addresses import parked_message
from projections.dashboard.components import parked, words
from projections.dashboard.components.basic import card, pairs


def facts(service: str, failure: FailureGroup) -> Component:
    return card(
        parked.failure_name(failure),
        pairs(
            ("Service", words.service(service)),
            ("Refused by", parked.REFUSED_BY[failure.refused_by]),
            ("Contract", html.Span(failure.contract or "unreadable", className="mono")),
            ("Place", html.Span(failure.place or words.NOTHING, className="mono")),
            ("Messages", [words.count(failure.messages), f", {words.count(failure.dead)} dead"]),
            ("Keys blocked", words.count(failure.keys)),
            ("Waiting behind", words.counted(failure.followers, "message")),
            ("First seen", [words.moment(failure.oldest), ", ", words.ago(failure.oldest)]),
            ("Last seen", [words.moment(failure.last_seen), ", ", words.ago(failure.last_seen)]),
            (
                "First message",
                dcc.Link(words.short(failure.first), href=parked_message(service, failure.refused_by, failure.first)),
            ),
        ),
        wide=12,
    )
