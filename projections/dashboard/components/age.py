"""The notice that the shown state of the processes is old."""

from datetime import UTC, datetime

from dash import html
from dash.development.base_component import Component

from projections.dashboard.components import words
from projections.dashboard.components.basic import icon
from projections.monitor.snapshot import Snapshot

OLD_SECONDS = 5.0
"""While a dashboard is open, a new state arrives every second or two."""


def age(snapshot: Snapshot) -> list[Component]:
    """Empty for a current state."""
    if (datetime.now(UTC) - snapshot.at).total_seconds() <= OLD_SECONDS:
        return []
    text: list[Component | str] = ["Processes are shown as they were ", words.ago(snapshot.at), ": no newer answers."]
    return [html.Div([icon("clock"), html.Span(text)], className="notice tone-warn", role="status")]
