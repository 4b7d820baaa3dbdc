"""The notice that the shown state of the processes is old."""

from dash import html
from dash.development.base_component import Component

from projections.dashboard.components import words
from projections.dashboard.components.basic import icon
from projections.monitor.snapshot import Snapshots


def age(snapshots: Snapshots) -> list[Component]:
    """Empty unless a newer state is overdue; after a pause in which nobody looked, none is."""
    if snapshots.latest is None or not snapshots.is_late:
        return []
    at = words.ago(snapshots.latest.at)
    text: list[Component | str] = ["Processes are shown as they were ", at, ": no newer answers."]
    return [html.Div([icon("clock"), html.Span(text)], className="notice tone-warn", role="status")]
