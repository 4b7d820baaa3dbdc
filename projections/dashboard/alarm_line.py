"""What every page shows of the alarms: a line above the page, and badges in the navigation."""

from collections.abc import Sequence
from typing import Any

from dash import Dash, Input, Output, html

from projections.dashboard.components import alarms
from projections.dashboard.components.basic import aria
from projections.dashboard.page import Page
from projections.dashboard.reading import Reader

LINE = "alarm-line"


def place() -> html.Div:
    """Where the line appears; a screen reader reads a new one when it has nothing else to say."""
    return html.Div(id=LINE, role="status", **aria(live="polite"))


def badge_place(page: Page) -> html.Span:
    return html.Span(id=badge_id(page), className="badge-place")


def badge_id(page: Page) -> str:
    return f"badge-{page.path or 'overview'}"


def callbacks(app: Dash, reader: Reader, pages: Sequence[Page], tick: str) -> None:
    """One callback for all pages: it reads memory."""

    @app.callback(
        Output(LINE, "children"), *(Output(badge_id(page), "children") for page in pages), Input(tick, "data")
    )
    def refresh(_: int) -> list[Any]:
        found = reader.alarms()
        return [alarms.line(found), *(alarms.badge(found, page.path) for page in pages)]
