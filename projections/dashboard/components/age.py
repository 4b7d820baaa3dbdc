"""A word on how old the picture of the running system is, when it is."""

from datetime import UTC, datetime

from dash import html
from dash.development.base_component import Component

from projections.dashboard.components import words
from projections.dashboard.components.basic import icon
from projections.monitor.picture import Picture

OLD_SECONDS = 5.0
"""While somebody looks there is a new picture every second or two."""


def age(picture: Picture) -> list[Component]:
    """Nothing of one that is new."""
    if (datetime.now(UTC) - picture.at).total_seconds() <= OLD_SECONDS:
        return []
    text: list[Component | str] = ["What runs is shown as it was ", words.ago(picture.at), ": no newer answers."]
    return [html.Div([icon("clock"), html.Span(text)], className="notice tone-warn", role="status")]
